"""Bids: what fleets ask for parts of a booking, and what becomes of it."""
