"""Markers by folder, for what a test needs: `make unit` runs the others. Hypothesis's profile."""

import gc
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is not a failure: nothing is asserted on how long an example took.
settings.register_profile("payflow", deadline=None)
settings.register_profile("unit", deadline=None, max_examples=40)
settings.register_profile("security", deadline=None, max_examples=5_000)
settings.load_profile("payflow")

NEEDS = {"integration": "broker", "hostile": "broker", "browser": "browser"}
"""Folder to marker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the marker of its folder to every test."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in NEEDS:
            item.add_marker(NEEDS[folder])


def pytest_collection_finish() -> None:
    """Take what collection has made out of the collector's sight: it stays until the end."""
    gc.collect()
    gc.freeze()
