"""Sending goods with a carrier."""
