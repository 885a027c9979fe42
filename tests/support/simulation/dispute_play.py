"""Plays a course whose payment is disputed to its end, and checks the books."""

import asyncio
from functools import partial
from pathlib import Path

from app.operations.verification.external_systems import read_provider
from tests.support.simulation.course_play import (
    GAPS_HOURS,
    RESTOCKED,
    Kill,
    broken_checks,
    compare_books,
    place,
    reconcile_settlement,
    strike,
)
from tests.support.simulation.dispute_table import LATE
from tests.support.simulation.provider_world import Course, play_on, provider_world
from tests.support.simulation.world import World
from workflows.notification.messages import SendMessage
from workflows.payment.dispute_messages import DisputeClosed, DisputeOpened

IN_TIME_HOURS = GAPS_HOURS["8 days"]
"""After a gap of so long the bank still takes evidence, so that the end is the same."""


def play_disputed(
    each: Course,
    folder: Path,
    loop: asyncio.AbstractEventLoop,
    kill: Kill | None = None,
    gap_hours: int = 0,
) -> None:
    """Play a course to its end, at which the books agree; it is the right one, but after a month.

    The kill is from the moment at which the order has ended, or from the first where the dispute
    is opened before that.
    """
    is_late = each.faults == LATE
    with provider_world(each, folder, loop) as world:
        if is_late:
            world.provider.once_ended = partial(strike, world, kill, gap_hours)
        else:
            strike(world, kill, gap_hours)
        place(world, each)
        play_on(world)
        dispute(world, each)
        assert not world.dead, world.dead
        payments = world.messages("payments")
        ends = tuple(m.outcome for m in payments if isinstance(m, DisputeClosed))
        assert world.provider.disputes() == ends, world.trace[-20:]
        # A dispute overtakes a refund, or an order, that waits for us for a day.
        is_ordered = is_late and "before" not in each.returns
        if gap_hours <= IN_TIME_HOURS * is_ordered:
            assert each.ends == ends, world.trace[-20:]
            messages = world.messages("notification.commands")
            texts = [m.text for m in messages if isinstance(m, SendMessage)]
            assert any(each.phrase in text for text in texts), texts
            assert each.kept_minor == _kept_minor(world), world.trace[-20:]
        agree(world, each)


def dispute(world: World, each: Course) -> None:
    """Let time go on until the dispute is open, and until it is decided."""
    for _ in range(40):
        opened = any(isinstance(m, DisputeOpened) for m in world.messages("payments"))
        if opened or not each.ends:
            break
        world.now += 10_000
        play_on(world)
    for _ in range(10):
        play_on(world)
        world.now += 60_000


def agree(world: World, each: Course) -> None:
    """Raise AssertionError where `verify` or `reconcile` finds something, or too much went back."""
    _assert_verified(world)
    compare_books(world, is_clean=True)
    assert 0 <= _kept_minor(world), world.trace[-20:]
    reconcile_settlement(world, each)
    _assert_verified(world)


def _assert_verified(world: World) -> None:
    wrong = broken_checks(world)
    allowed = RESTOCKED if world.provider.refused else frozenset[str]()
    assert wrong.keys() <= allowed, (wrong, world.trace[-20:])


def _kept_minor(world: World) -> int:
    """Return what is left of the money at the provider, or with nobody."""
    record = (read_provider(world.provider.config) or {}).get("o1")
    if record is None:
        return 0
    return record.charged_minor - record.refunded_minor - record.disputed_minor
