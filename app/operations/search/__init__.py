"""Searching topics: what is wanted, the scan itself, what there is, and who reads it."""
