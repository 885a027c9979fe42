"""What can be checked at any time: facts are folded, then judged."""
