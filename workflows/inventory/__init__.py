"""Stock: reserved, shipped, put back."""
