"""Fleets: trucks, drivers, their documents, and when they can't be had."""
