"""Payments that are disputed, on the real gateway and the real simulator: see DISPUTES.

As in `tests/simulation/test_provider_scenarios.py` each is also played with kills, here from the
moment at which the order has ended, and with every gap between the kill and the restart. `make
courses` plays every kill and gap of every row.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulation.course_play import GAPS_HOURS, KILLS, Kill, place
from tests.support.simulation.dispute_play import dispute, play_disputed
from tests.support.simulation.dispute_table import DISPUTES, RECEIVED, course
from tests.support.simulation.provider_world import Course, play_on, provider_world
from workflows.fraud.messages import CaseOpened

FIRST = [kill for kill in KILLS if not kill.passes]
"""Every checkpoint, the first time it is passed."""
ROWS = [pytest.param(each, id=each.name) for each in DISPUTES]
CASES = [(each, number, gap) for number, each in enumerate(DISPUTES) for gap in GAPS_HOURS]
GAPS = [pytest.param(*case, id=f"{case[0].name}, {case[2]}") for case in CASES]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all: starting one costs more than a course."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def kill_of(number: int, gap: str) -> Kill:
    """Return the kill that is played of a row and a gap."""
    return FIRST[(number + 3 * list(GAPS_HOURS).index(gap)) % len(FIRST)]


@pytest.mark.parametrize("each", ROWS)
def test_a_dispute_goes_as_the_bank_decides(
    each: Course, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The books agree, and nobody is paid back twice."""
    play_disputed(each, tmp_path, loop)


@pytest.mark.parametrize(("each", "number", "gap"), GAPS)
def test_a_kill_and_a_gap_change_nothing(
    each: Course, number: int, gap: str, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The same end, the same money, while evidence is taken; after that the books agree."""
    play_disputed(each, tmp_path, loop, kill_of(number, gap), GAPS_HOURS[gap])


def test_every_kill_has_its_turn_with_every_gap() -> None:
    """Over the rows: there are more of them than checkpoints of both services."""
    played = {(kill_of(number, gap), gap) for _, number, gap in CASES}

    assert {(kill, gap) for kill in FIRST for gap in GAPS_HOURS} == played


def test_what_is_lost_as_fraud_is_known_as_fraud(
    tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The label of the chargeback reaches the verdict, and a late case is opened."""
    for card, expected in (("", 1), (RECEIVED, 0)):
        each = course("label", card, "lost", kept_minor=0, evidence="losing_evidence")
        with provider_world(each, tmp_path / f"of {card}", loop) as world:
            place(world, each)
            play_on(world)
            dispute(world, each)

            cases = [m for m in world.messages("fraud.cases") if isinstance(m, CaseOpened)]
            assert expected == len(cases)
            label = world.worker("fraud").state("o1").label
            assert (expected == 1) == (label is not None and label.fraud)
