"""Sending items with a carrier."""
