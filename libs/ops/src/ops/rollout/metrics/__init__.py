"""Where a rollout's figures come from."""
