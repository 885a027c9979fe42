"""Judging payments."""
