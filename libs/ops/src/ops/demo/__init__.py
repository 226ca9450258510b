"""`ubertruck demo`: a booking and the trips of its three trucks, step by step."""
