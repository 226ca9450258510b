"""What happens between a truck's arrival at the pickup and the last signature at the drop."""
