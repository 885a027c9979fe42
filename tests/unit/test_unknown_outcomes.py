"""Unknown outcomes: the payment workflow talks with a provider that is silent, gone or late."""

import heapq
import itertools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestServer, unused_port

from app.config import Config
from app.gateways.provider import open_provider
from app.local.simulators import provider
from tests.support.examples import payment as example
from tests.support.external_systems import System, running
from tests.support.workflow_runner import START_MS, receive
from workflows.order import process as order
from workflows.payment import charge_evolution, refund, refund_answers, refund_evolution
from workflows.payment import process as payment
from workflows.payment import provider_messages as p
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefunded,
    RefundOverdue,
)
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

COMMANDS = (p.ChargeCard, p.InquireCharge, p.VoidCharge, p.RefundCharge)
ENDS = (PaymentCompleted, PaymentFailed)
TURNS_MAX = 1_000
TWO_MINUTES = 120.0

Ask = Callable[[Any, float], Awaitable[Sequence[tuple[float, Message]]]]
"""(command, seconds) -> what comes of it, each after so many seconds."""


class Talk:
    """One payment and its provider, in a time of their own: seconds since the order was placed."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.state = payment.INITIAL
        self.now = 0.0
        self.emitted: list[tuple[float, Message]] = []
        self._coming: list[tuple[float, int, Message]] = []
        self._order = itertools.count()

    def will_consume(self, message: Message, seconds: float) -> None:
        """Let `message` come at `seconds`."""
        heapq.heappush(self._coming, (seconds, next(self._order), message))

    async def run(self, until: float = float("inf")) -> "Talk":
        """Go on until nothing comes and nothing is due, or until `until` seconds."""
        for _ in range(TURNS_MAX):
            due_ms = payment.due(self.state)
            due = float("inf") if due_ms is None else (due_ms - START_MS) / 1_000
            if self._coming and self._coming[0][0] <= due:
                self.now, _, message = heapq.heappop(self._coming)
            elif due < until:
                self.now = max(self.now, due)
                message = DeadlineReached(key="o1", due_at_ms=due_ms or 0)
            else:
                return self
            await self._receive(message)
        raise AssertionError(f"no rest after {TURNS_MAX} turns")

    async def _receive(self, message: Message) -> None:
        self.state, emitted = receive(payment, self.state, (message, self.now))
        for each in emitted:
            self.emitted.append((self.now, each))
            if isinstance(each, COMMANDS):
                for seconds, answer in await self.ask(each, self.now):
                    self.will_consume(answer, self.now + seconds)

    def at(self, *kinds: type[Message]) -> list[float]:
        """Return when messages of `kinds` were emitted, in seconds."""
        return [seconds for seconds, message in self.emitted if isinstance(message, kinds)]

    def messages(self, *kinds: type[Message]) -> list[Any]:
        """Return the messages of `kinds` that were emitted."""
        return [message for _, message in self.emitted if isinstance(message, kinds)]


def unknown(command: Any, reason: str = "no connection") -> Message:
    """Return the answer that says neither yes nor no."""
    attempt = getattr(command, "attempt", 0)
    if isinstance(command, p.RefundCharge):
        return p.RefundUnknown(
            transaction_id="o1", refund_key=command.refund_key, attempt=attempt, reason=reason
        )
    return p.ChargeUnknown(transaction_id="o1", attempt=attempt, reason=reason)


def outage(until: float, *, silent: bool = False, latency: float = 0.0) -> Ask:
    """Return a provider that is gone until then: it refuses at once, or says nothing at all."""
    state: dict[str, Message] = {}

    async def ask(command: Any, now: float) -> Sequence[tuple[float, Message]]:
        if now < until:
            return () if silent else [(latency, unknown(command))]
        if isinstance(command, p.RefundCharge):
            record = p.RefundSucceeded(
                transaction_id="o1",
                refund_key=command.refund_key,
                refund_id=f"re-{command.refund_key}",
                amount_minor=command.amount_minor,
            )
            return [(latency, record)]
        closing_it = isinstance(command, p.VoidCharge)
        return [
            (latency, state.setdefault("", example.VOIDED if closing_it else example.SUCCEEDED))
        ]

    return ask


# --- charges --------------------------------------------------------------------


async def test_a_pending_payment_is_inquired_later_and_later_up_to_a_limit() -> None:
    """The pauses double from a second to half a minute, and no inquiry is the last."""
    talk = Talk(outage(float("inf")))
    talk.will_consume(example.PLACED, 0)

    await talk.run(until=charge_evolution.OUTCOME_MS / 1_000)

    asked_seconds = talk.at(*COMMANDS)
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked_seconds)]
    assert [1, 2, 4, 8, 16, 30, 30, 30, 30, 30] == pauses[:10]
    assert {30} == set(pauses[5:])
    assert 1 == len(talk.messages(PaymentPending))


@pytest.mark.parametrize("silent", [False, True], ids=["it refuses", "it is silent"])
@pytest.mark.parametrize(
    "gone_seconds", [0, 1, 29, 31, 60, TWO_MINUTES, 149, 181, 240, 3_600], ids=lambda s: f"{s} s"
)
async def test_a_pending_payment_always_ends_once_the_provider_is_back(
    gone_seconds: float, silent: bool
) -> None:
    """Completed, or voided when nobody may wait longer; never both, and soon after it is back."""
    talk = Talk(outage(gone_seconds, silent=silent, latency=0.2))
    talk.will_consume(example.PLACED, 0)

    await talk.run()

    (ended,) = talk.at(*ENDS)
    soonest = 0 if gone_seconds == 0 else gone_seconds
    assert soonest <= ended <= gone_seconds + charge_evolution.BACKOFF_MS_MAX / 1_000 + 0.2
    assert None is payment.due(talk.state)
    kept_waiting = (
        PaymentCompleted if gone_seconds * 1_000 < charge_evolution.PENDING_MS else PaymentFailed
    )
    assert [kept_waiting] == [type(message) for message in talk.messages(*ENDS)]


@pytest.mark.parametrize("silent", [False, True], ids=["it refuses", "it is silent"])
async def test_a_provider_that_stays_away_is_asked_to_void_by_the_deadline(silent: bool) -> None:
    """Never before not knowing has lasted for `PENDING_MS`, and never after `OUTCOME_MS`."""
    talk = Talk(outage(float("inf"), silent=silent))
    talk.will_consume(example.PLACED, 0)

    await talk.run(until=charge_evolution.OUTCOME_MS / 1_000 + 1)

    first = talk.at(p.VoidCharge)[0] * 1_000
    assert charge_evolution.PENDING_MS <= first <= charge_evolution.OUTCOME_MS
    assert [] == talk.messages(*ENDS)


def test_deadlines_fit_into_each_other() -> None:
    """A provider may be gone for two minutes; an order waits for its payment's own deadline."""
    two_minutes_ms = round(TWO_MINUTES * 1_000)

    assert two_minutes_ms + charge_evolution.BACKOFF_MS_MAX <= charge_evolution.PENDING_MS
    assert charge_evolution.OUTCOME_MS <= order.PAYMENT_MS
    assert charge_evolution.OUTCOME_MS < refund_evolution.OVERDUE_MS


async def test_an_order_cancelled_while_the_provider_is_gone_costs_nothing() -> None:
    """Voided as soon as it is back, and reported as cancelled: not charged, not refunded."""
    talk = Talk(outage(TWO_MINUTES))
    talk.will_consume(example.PLACED, 0)
    talk.will_consume(example.CANCELLED, 40)

    await talk.run()

    assert [PaymentFailed(transaction_id="o1", reason="cancelled")] == talk.messages(*ENDS)
    assert 40 == talk.at(p.VoidCharge)[0]
    assert [] == talk.messages(p.RefundCharge)


# --- refunds --------------------------------------------------------------------


@pytest.mark.parametrize("silent", [False, True], ids=["it refuses", "it is silent"])
async def test_a_refund_that_stays_unknown_is_emitted_once_and_asked_for_all_the_same(
    silent: bool,
) -> None:
    """After `OVERDUE_MS` people receive of it, with the reason.

    When it comes at last it is emitted.
    """
    later = outage(3_600, silent=silent)

    async def charges_at_once(command: Any, now: float) -> Sequence[tuple[float, Message]]:
        is_refund = isinstance(command, p.RefundCharge)
        return await later(command, now) if is_refund else [(0.1, example.SUCCEEDED)]

    talk = Talk(charges_at_once)
    talk.will_consume(example.PLACED, 0)
    talk.will_consume(example.CANCELLED, 10)

    await talk.run()

    (complaint,) = talk.messages(RefundOverdue)
    (complained,) = talk.at(RefundOverdue)
    assert ("compensation", 1_000, START_MS + 10_000) == (
        complaint.refund_key, complaint.amount_minor, complaint.asked_at_ms,
    )  # fmt: skip
    assert ("no answer" if silent else "no connection") == complaint.reason
    limit = 10 + refund_evolution.OVERDUE_MS / 1_000
    assert limit <= complained <= limit + refund_answers.BACKOFF_MS_MAX / 1_000
    assert {"compensation"} == {message.refund_key for message in talk.messages(p.RefundCharge)}
    assert [True] == [3_600 <= at <= 3_660 for at in talk.at(PaymentRefunded)]


async def test_each_overdue_refund_is_emitted_by_its_own_age() -> None:
    """A return asked for later is overdue later; one that has come is not emitted at all."""
    state = payment.INITIAL
    late: list[tuple[str, float]] = []
    story = [(example.PLACED, 0), (example.SUCCEEDED, 1), (example.RETURN, 2)]
    for received in story:
        state, _ = receive(payment, state, received)
    second = 200.0
    while (due_ms := payment.due(state)) is not None and len(late) < 2:
        at = (due_ms - START_MS) / 1_000
        if at > second:
            state, _ = receive(payment, state, (example.RETURN_REST, second))
            second = float("inf")
            continue
        state, emitted = receive(payment, state, (DeadlineReached(key="o1", due_at_ms=due_ms), at))
        late += [
            (message.refund_key, at) for message in emitted if isinstance(message, RefundOverdue)
        ]

    assert ["r1", "r2"] == [key for key, _ in late]
    assert all(
        began + 300 <= at <= began + 360 for began, (_, at) in zip((2, 200), late, strict=True)
    )


def test_a_row_of_before_refunds_had_an_age_is_read_and_grows_one() -> None:
    """Old rows decode; the next question sets the age that was not kept."""
    old = msgspec.json.decode(b'{"amount_minor": 5, "status": "asked"}', type=refund.Refund)
    request = p.RefundCharge(
        transaction_id="o1",
        payment_id="pi",
        refund_key="r1",
        amount_minor=5,
        currency="GBP",
        attempt=1,
    )

    aged = refund_evolution.evolve(refund.Refunds(by_key={"r1": old}), request, START_MS)

    assert (0, START_MS) == (old.asked_at_ms, aged.by_key["r1"].asked_at_ms)


# --- with the provider itself, over HTTP -----------------------------------------


@asynccontextmanager
async def till(entity: System) -> AsyncIterator[Ask]:
    """Open the real gateway as the one who is asked; an answer takes a fifth of a second."""
    gateway = open_provider(entity.config)

    async def ask(command: Any, _now: float) -> Sequence[tuple[float, Message]]:
        (answer,) = await gateway(command)
        return [(0.2, answer)]

    yield ask
    await gateway.close()


def keys(folder: Path) -> set[str]:
    """Return every idempotency key the provider has met."""
    with closing(sqlite3.connect(folder / "provider.sqlite")) as books:
        return {row[0] for row in books.execute("SELECT key FROM idempotency")}


@asynccontextmanager
async def away(folder: Path) -> AsyncIterator[tuple[Talk, Callable[[], Awaitable[TestServer]]]]:
    """Open a talk with a provider that nobody has started yet, and how to start it."""
    port = unused_port()
    config = Config(data_dir=str(folder), provider_url=f"http://127.0.0.1:{port}")
    server = TestServer(provider.make_app(config), port=port)
    gateway = open_provider(config)

    async def ask(command: Any, _now: float) -> Sequence[tuple[float, Message]]:
        (answer,) = await gateway(command)
        return [(0.2, answer)]

    async def start() -> TestServer:
        await server.start_server()
        return server

    yield Talk(ask), start
    await gateway.close()
    await server.close()


async def charges(folder: Path) -> int:
    """Return how often the provider has taken money."""
    with closing(sqlite3.connect(folder / "provider.sqlite")) as books:
        return books.execute("SELECT count(*) FROM charges").fetchone()[0]


async def test_an_order_waits_for_a_provider_that_is_gone_for_two_minutes(tmp_path: Path) -> None:
    """Every connection is refused; back again it is charged once, within half a minute."""
    async with away(tmp_path) as (talk, start):
        talk.will_consume(example.PLACED, 0)
        await talk.run(until=TWO_MINUTES)
        waited = talk.messages(*ENDS)
        await start()
        await talk.run()

    assert [] == waited
    assert [True] == [TWO_MINUTES <= at <= 151 for at in talk.at(PaymentCompleted)]
    assert 1 == await charges(tmp_path)
    assert {"o1:create", "o1:confirm"} == keys(tmp_path)


async def test_an_order_cancelled_meanwhile_is_never_charged(tmp_path: Path) -> None:
    """The void finds no charge, closes the intent for good, and the payment has failed."""
    async with away(tmp_path) as (talk, start):
        talk.will_consume(example.PLACED, 0)
        talk.will_consume(example.CANCELLED, 30)
        await talk.run(until=TWO_MINUTES)
        await start()
        await talk.run()

    assert [PaymentFailed(transaction_id="o1", reason="cancelled")] == talk.messages(*ENDS)
    assert 0 == await charges(tmp_path)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"error_after": 1.0}, id="charged behind a 500"),
        pytest.param({"timeout": 1.0, "seed": 3}, id="no answer in time"),
    ],
)
async def test_a_charge_behind_an_unknown_outcome_is_given_back_once(
    tmp_path: Path, faults: dict[str, float]
) -> None:
    """Cancelled while it is unknown: emitted as paid if it was, refunded in full under one key."""
    async with running(provider.make_app, tmp_path, "http://127.0.0.1:9") as entity:
        await entity.set(**faults)
        async with till(entity) as ask:
            talk = Talk(ask)
            talk.will_consume(example.PLACED, 0)
            talk.will_consume(example.CANCELLED, 0.5)
            await talk.run(until=5)
            await entity.set(error_after=0.0, timeout=0.0)
            await talk.run()
        state = await entity.state()

    assert state["charged_minor"] == state["refunded_minor"]
    assert state["charges"] == state["refunds"] == len(talk.messages(PaymentRefunded))
    assert 1 == len(talk.messages(*ENDS))


async def test_a_refund_of_unknown_outcome_uses_one_key_for_ever(tmp_path: Path) -> None:
    """Ten minutes of 500s, half of them after the effect: one refund, one complaint, one key."""
    async with running(provider.make_app, tmp_path, "http://127.0.0.1:9") as entity:
        async with till(entity) as ask:
            talk = Talk(ask)
            talk.will_consume(example.PLACED, 0)
            await talk.run()
            await entity.set(error_before=1.0)
            talk.will_consume(example.CANCELLED, 10)
            await talk.run(until=600)
            await entity.set(error_before=0.0)
            await talk.run()
        state = await entity.state()

    assert 10 < len(talk.messages(p.RefundCharge))
    assert (1, 1_000) == (state["refunds"], state["refunded_minor"])
    assert (1, 1) == (len(talk.messages(RefundOverdue)), len(talk.messages(PaymentRefunded)))
    assert {"o1:create", "o1:confirm", "o1:refund:compensation"} == keys(tmp_path)
