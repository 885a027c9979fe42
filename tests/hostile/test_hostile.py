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
    outcome = await run(tmp_path, seconds=15, rate=60, orders=4, seed=11)

    assert () == breaches_of(outcome.verdict)
    assert [] == outcome.missing
    assert [] == outcome.lost
    assert outcome.poison > 100
    assert outcome.verdict.figures["orders_completed"] > 0
