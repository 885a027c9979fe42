"""Adapters to the external systems: a message in, messages out.

Trouble outside is an answer, no error.
"""
