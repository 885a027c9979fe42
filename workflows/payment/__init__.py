"""Taking money and giving it back, through a payment provider."""
