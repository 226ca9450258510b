"""A rollout on a cluster: releases say what there is, and kubectl takes weights back quickly."""
