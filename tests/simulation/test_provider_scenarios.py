"""Payments as the provider's cards have them go, on the real gateway and the real simulator.

Each row of the table is played alone, and with a kill of payment and of the gateway at every
checkpoint; and with a gap of hours, days or a month between the kill and the restart: keys, holds,
webhooks and whole topics have expired then, so the order may end otherwise, but the books agree.
`make test` plays two kills of each row, one of them with a gap: over the rows every kill, and every
checkpoint with every gap. `make courses` plays every kill and gap of every row.
"""

import asyncio
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from app.local.simulators.provider_cards import CARDS
from tests.simulation.courses import agents_of_world, cases_of, play_row, sampled
from tests.support.simulation.course_play import (
    AT_ONCE,
    GAPS_HOURS,
    KILLS,
    MONEY,
    Kill,
    kills_of,
    place,
    play,
)
from tests.support.simulation.course_table import COURSES
from tests.support.simulation.provider_world import Course, provider_world

STEP = 5
"""It has no factor in common with the number of kills, so that each has its turn."""
OTHERS = [name for name in agents_of_world() if name not in MONEY]
LATER = [name for name in GAPS_HOURS if name != AT_ONCE]
ROWS = [pytest.param(each, number, id=each.name) for number, each in enumerate(COURSES)]
CASES = [
    (each, number, gap)
    for number, each in enumerate(COURSES)
    for gap in (AT_ONCE, LATER[number % len(LATER)])
]
GAPS = [pytest.param(*case, id=f"{case[0].name}, {case[2]}") for case in CASES]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all: starting one costs more than a course."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def kill_of(number: int, gap: str) -> Kill:
    """Return the kill that is played of a row and a gap."""
    at = number * STEP if gap == AT_ONCE else number // len(LATER)
    return KILLS[at % len(KILLS)]


@pytest.mark.parametrize(("each", "_number"), ROWS)
def test_a_payment_goes_as_the_provider_says(
    each: Course, _number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The order ends as it has to, the customer reads the right words, the books agree."""
    assert each.end == play(each, tmp_path, loop)


@pytest.mark.parametrize(("each", "number", "gap"), GAPS)
def test_a_kill_and_a_gap_leave_the_books_right(
    each: Course, number: int, gap: str, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """One charge at most; and the same end where the worker starts again at once."""
    end = play(each, tmp_path, loop, kill_of(number, gap), GAPS_HOURS[gap])

    assert gap != AT_ONCE or each.end == end


def test_what_a_topic_no_longer_keeps_is_named_before_it_is_skipped(
    tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """A worker that was away for longer refuses to start, and then the order ends all the same."""
    each = next(each for each in COURSES if each.name == "taken at once")
    with provider_world(each, tmp_path, loop) as world:
        place(world, each)
        world.worker("provider").crash_at = "read"
        world.provider.gap_hours = GAPS_HOURS["32 days"]
        world.run()

        assert any(
            "provider.commands/0 begins at offset" in each for each in world.provider.refused
        )
        assert 1 == world.provider.state()["intents"]


def test_what_was_stored_and_not_produced_outlives_its_event(
    tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The void is in the row, its event is deleted before it is read again: the order ends."""
    each = next(each for each in COURSES if each.name == "held, and cancelled")
    kill = Kill(service="payment", at="half produced", passes=2)

    assert "cancelled" == play(each, tmp_path, loop, kill, GAPS_HOURS["31 days"])


@pytest.mark.parametrize(("name", "later"), [*zip(OTHERS, cycle(LATER), strict=False)])
def test_a_kill_of_any_other_agent_leaves_the_books_right_too(
    name: str, later: str, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """Two of the cases of `make courses AGENTS=all`, one of them with a gap."""
    kills = kills_of([name])
    for gap in (AT_ONCE, later):
        dice = Random(f"{name} {gap}")
        play_row(dice.randrange(len(COURSES)), tmp_path / gap, loop, dice.choice(kills), gap)


def test_every_kill_has_its_turn() -> None:
    """And every checkpoint with every gap, over the rows of `make test`."""
    later = {(k.service, k.at, gap) for _, row, gap in CASES for k in [kill_of(row, gap)]}

    assert set(KILLS) == {kill_of(row, gap) for _, row, gap in CASES if gap == AT_ONCE}
    assert {(k.service, k.at, gap) for k in KILLS for gap in LATER} <= later


def test_a_sample_has_every_course_kill_and_gap() -> None:
    """And each play once; another seed plays others."""
    for names, most in ((MONEY, 500), (agents_of_world(), 1_000)):
        every = cases_of(kills_of(names))
        sample = sampled(every, most, seed=1)

        assert most == len(sample) == len(set(sample))
        assert [set(parts) for parts in zip(*every, strict=True)] == [
            set(parts) for parts in zip(*sample, strict=True)
        ]
        assert sample != sampled(every, most, seed=2)


def test_every_card_has_a_course() -> None:
    """But those that are disputed, and those that differ from another one at the balance alone."""
    left_out = {name for name, card in CARDS.items() if card.dispute}
    left_out.add("pm_card_bypassPendingInternational")

    assert set(CARDS) - left_out <= {each.card for each in COURSES}
