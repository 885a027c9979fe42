"""Messages to customers."""
