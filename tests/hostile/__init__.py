"""Somebody with access to the broker who means harm: `python -m tests.hostile --seconds 600`."""
