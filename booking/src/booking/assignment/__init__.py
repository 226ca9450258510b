"""Assignment: which truck and driver take which part of a booking."""
