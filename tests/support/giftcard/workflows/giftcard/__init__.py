"""Topping up gift cards: a workflow that exists to show that the platform assumes none."""
