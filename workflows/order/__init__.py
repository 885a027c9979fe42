"""The order workflow: its saga state, its steps, its ends."""
