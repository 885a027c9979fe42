"""Measurements: ratios in one run, each a program of its own. None is a test."""

SCOPES = ("orders:write", "orders:read", "returns", "stock")
"""Of the client with which a measurement loads its instance: all there are."""
