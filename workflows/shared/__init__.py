"""What every workflow shares: message, limits, money, time."""
