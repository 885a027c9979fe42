"""Verification of a running instance: facts are folded from topics and rows, then checked."""
