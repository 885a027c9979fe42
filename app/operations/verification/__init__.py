"""Verification of a running instance: facts are projected from topics and rows, then checked."""
