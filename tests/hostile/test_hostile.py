"""Somebody produces lies on every topic.

The books balance, and every lie is found with its bytes.
"""

from pathlib import Path

import pytest

from app.chaos.report import breaches_of
from tests.hostile.__main__ import run


@pytest.mark.timeout(600)
async def test_lies_on_every_topic_change_nothing_and_are_all_dead_lettered(tmp_path: Path) -> None:
    """Repeated, misplaced, moved, corrupted, forged, garbled: verify holds, poison is found."""
    found = await run(tmp_path, seconds=15, rate=60, orders=4, seed=11)

    assert () == breaches_of(found.verdict)
    assert [] == found.missing
    assert [] == found.lost
    assert found.poison > 100
    assert found.verdict.figures["orders_completed"] > 0
