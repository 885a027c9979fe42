"""Readers of what comes from outside, given bytes that coverage leads to."""
