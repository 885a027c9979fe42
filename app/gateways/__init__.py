"""Adapters to the external systems: a message in, messages out. Their failures are answers."""
