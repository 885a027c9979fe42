"""What operators and support do: repair, search, replay, audit, verification."""
