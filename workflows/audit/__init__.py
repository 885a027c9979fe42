"""What operators did, as events."""
