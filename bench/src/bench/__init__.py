"""What Ubertruck does in a second, measured side by side with a bare reference."""
