"""Tests that need gift cards to be declared, which cannot be undone: in a process of its own."""

from app.config import extension_folders
from tests.support.giftcard import FOLDER

# tests/architecture/test_giftcard.py runs them with PAYFLOW_EXTENSIONS.
collect_ignore_glob = [] if FOLDER in extension_folders() else ["test_*.py"]
