"""Marks each test with what it needs, by the folder it lies in: `make unit` runs the others."""

from pathlib import Path

import pytest

NEEDS = {"integration": "broker", "hostile": "broker", "browser": "browser"}
"""Folder to marker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the marker of its folder to every test."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in NEEDS:
            item.add_marker(NEEDS[folder])
