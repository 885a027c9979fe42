"""Tests that need gift cards to be declared, which cannot be undone: in a process of its own."""

import sys

# `pytest -p tests.support.giftcard tests/giftcard`: tests/architecture/test_giftcard.py runs it.
collect_ignore_glob = [] if "tests.support.giftcard" in sys.modules else ["test_*.py"]
