"""Payments that are disputed, on the real gateway and the real simulator: see COURSES.

As in `tests/simulation/test_provider_scenarios.py` each is also played with kills, here from the
moment at which the order has ended, and with 25 hours between the kill and the restart.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.operations.verification.external_systems import read_provider
from tests.support.simulation.course_play import (
    broken_checks,
    compare_books,
    place,
    reconcile_settlement,
)
from tests.support.simulation.provider_world import Course, play_on, provider_world
from tests.support.simulation.world import CHECKPOINTS, World
from workflows.fraud.messages import CaseOpened
from workflows.notification.messages import SendMessage
from workflows.payment.dispute_messages import DisputeClosed, DisputeOpened

LATE = {"dispute_seconds": 300.0}
"""The dispute opens when the order has ended."""


def course(name: str, card: str, *ends: str, phrase: str = "", **more: object) -> Course:
    """Return one row of the table; `ends`: how its disputes are closed."""
    fields = {"faults": LATE, **more}
    return Course(
        name=name,
        card=f"pm_card_createDispute{card}",
        end="completed",
        phrase=phrase,
        ends=ends,
        **fields,  # pyright: ignore[reportArgumentType]
    )


RECEIVED, INQUIRY = "ProductNotReceived", "Inquiry"
BY_BANK, ON_HOLD = "That settles your refund", "once your bank has decided"
COURSES = (
    course("won", "", "won", kept_minor=1_000, evidence="winning_evidence"),
    course("lost", "", "lost", kept_minor=0, evidence="losing_evidence"),
    course("nobody answers", "", "lost", kept_minor=0),
    course("accepted", "", "lost", kept_minor=0, evidence="accept"),
    course("not received: won", RECEIVED, "won", kept_minor=1_000, evidence="winning_evidence"),
    course("not received: lost", RECEIVED, "lost", kept_minor=0, evidence="losing_evidence"),
    course("inquiry: closed", INQUIRY, "warning_closed", kept_minor=1_000,
           evidence="winning_evidence"),
    course("inquiry: accepted", INQUIRY, "warning_closed", kept_minor=1_000, evidence="accept"),
    course("inquiry: escalated and won", INQUIRY, "won", kept_minor=1_000,
           evidence="escalate_inquiry_evidence"),
    course("a return meanwhile: won", "", "won", kept_minor=700, evidence="winning_evidence",
           returns="during", phrase=ON_HOLD),
    course("a return meanwhile: lost", "", "lost", kept_minor=0, evidence="losing_evidence",
           returns="during", phrase=BY_BANK),
    course("a return before", "", "lost", kept_minor=0, evidence="losing_evidence",
           returns="before"),
    course("all returned before", "", kept_minor=0, returns="all before"),
    course("a return during an inquiry", INQUIRY, "warning_closed", kept_minor=700,
           evidence="winning_evidence", returns="during", phrase="once it is content"),
    course("a return during an inquiry that is escalated and lost", INQUIRY, "lost", kept_minor=0,
           evidence="escalate_inquiry_evidence", then="losing_evidence", returns="during",
           phrase=BY_BANK),
    course("before the order has ended", "", "won", kept_minor=1_000,
           evidence="winning_evidence", faults={"dispute_seconds": 0.0}),
    course("while it is cancelled: lost", "", "lost", kept_minor=0, evidence="losing_evidence",
           faults={"dispute_seconds": 0.0}, is_cancelled=True),
)  # fmt: skip
KILLS = [(name, at) for name in ("payment", "provider") for at in dict.fromkeys(CHECKPOINTS)]
PLAYED = int(os.environ.get("KILLS", "2"))
"""Kills that are played of a row; all are 14."""
ROWS = [pytest.param(each, number, id=each.name) for number, each in enumerate(COURSES)]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all: starting one costs more than a course."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def kills_of(number: int) -> list[tuple[str, str]]:
    """Return the kills that are played of a row, other ones than of the row before."""
    return [KILLS[(number * PLAYED + each) % len(KILLS)] for each in range(PLAYED)]


def play(
    each: Course,
    folder: Path,
    loop: asyncio.AbstractEventLoop,
    kill: tuple[str, str] = ("", ""),
    gap_hours: int = 0,
) -> None:
    """Play a course to its end, which is right, and at which the books agree."""
    with provider_world(each, folder, loop) as world:
        place(world, each)
        play_on(world)
        if kill[0]:
            world.worker(kill[0]).crash_at = kill[1]
            world.provider.gap_hours = gap_hours
        dispute(world, each)
        assert each.ends == tuple(
            message.outcome
            for message in world.messages("payments")
            if isinstance(message, DisputeClosed)
        ), world.trace[-20:]
        sent = [
            m.text for m in world.messages("notification.commands") if isinstance(m, SendMessage)
        ]
        assert any(each.phrase in text for text in sent), sent
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
    """Raise AssertionError where `verify` or `reconcile` finds something, or more money is ours."""
    assert {} == broken_checks(world), world.trace[-20:]
    compare_books(world, is_clean=True)
    record = (read_provider(world.provider.config) or {})["o1"]
    kept_minor = record.charged_minor - record.refunded_minor - record.disputed_minor
    assert each.kept_minor == kept_minor, world.trace[-20:]
    reconcile_settlement(world, each)
    assert {} == broken_checks(world), world.trace[-20:]


@pytest.mark.parametrize(("each", "_number"), ROWS)
def test_a_dispute_goes_as_the_bank_decides(
    each: Course, _number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The books agree, and nobody is paid back twice."""
    play(each, tmp_path, loop)


@pytest.mark.parametrize(("each", "number"), ROWS)
def test_a_kill_at_any_checkpoint_changes_nothing(
    each: Course, number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The same end, the same money."""
    for name, at in kills_of(number):
        play(each, tmp_path / f"{name} {at}", loop, (name, at))


@pytest.mark.parametrize(("each", "number"), ROWS)
def test_a_day_between_the_kill_and_the_restart_changes_nothing_either(
    each: Course, number: int, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """The provider has forgotten all keys; evidence is taken for longer than that."""
    for name, at in kills_of(number):
        play(each, tmp_path / f"{name} {at}", loop, (name, at), gap_hours=25)


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
