"""Plays a course to its end, and checks the books: by its own figures, `verify` and `reconcile`."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from app.gateways.settlement_position import event_id_of
from app.operations.reconciliation.compare import reconcile
from app.operations.reconciliation.holds import compare_holds
from app.operations.reconciliation.reader import provider_holds, provider_lines
from app.operations.reconciliation.settlement import Settlement, compare
from app.operations.reconciliation.settlement_books import EXPECTED, OpenItem
from app.operations.reconciliation.settlement_reader import read_settlement
from app.operations.verification.external_systems import read_provider
from app.operations.verification.facts import Facts
from app.operations.verification.verdict import judge
from app.registry import load_books, load_workflows
from app.wire import codecs
from app.wire.envelope import from_headers
from tests.support.simulation.provider_world import Course, play_on, provider_world
from tests.support.simulation.world import CHECKPOINTS, World
from workflows.inventory.stock_messages import ReceiveStock
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import SendMessage
from workflows.order.messages import (
    Line,
    OrderCancelRequested,
    OrderPlaced,
    ReturnLine,
    ReturnRequested,
)
from workflows.order.saga_messages import OrderCancelled, OrderCompleted
from workflows.payment.capture_messages import CaptureCaseOpened
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentRefunded,
    PaymentRefundFailed,
    RefundCaseOpened,
)
from workflows.shared.invariants import CarrierRecord, Moment


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Where a process is killed: at a checkpoint that it has passed a few times before."""

    service: str
    at: str
    passes: int = 0


PASSES = 3
"""A charge, then a capture or a refund, and what comes of it."""


def kills_of(names: Sequence[str]) -> list[Kill]:
    """Return every kill of the agents `names`."""
    return [
        Kill(service=name, at=at, passes=passes)
        for passes in range(PASSES)
        for name in names
        for at in dict.fromkeys(CHECKPOINTS)
    ]


MONEY = ("payment", "provider")
"""The agents that ask for money to be moved."""
KILLS = kills_of(MONEY)
GAPS_HOURS = {"at once": 0, "25 hours": 25, "8 days": 192, "31 days": 744, "32 days": 768}
"""How long the instance is away after a kill: keys, webhooks, holds, and the topics themselves."""
AT_ONCE = "at once"
RESTOCKED = frozenset({"stock_agrees", "returns_settle"})
"""Checks of items that come back: inventory asks a shelf for that once, as ADR 21 says."""
HOUR_MS = 3_600_000
PAYOUT_HOURS = 120
"""Until a charge is available, paid out, and at the bank."""
RETURN_HOURS = 240
"""Until a bank has sent a payout back as well, and the next one has arrived."""


def play(
    each: Course,
    folder: Path,
    loop: asyncio.AbstractEventLoop,
    kill: Kill | None = None,
    gap_hours: int = 0,
) -> str:
    """Play a course to its end, and settle it; return how the order ended, once the books agree.

    Also after a gap that was longer than topics keep their records: each worker that missed some
    has refused to start, and went on from where its topics begin (`payflow adopt`).
    """
    with provider_world(each, folder, loop) as world:
        place(world, each)
        strike(world, kill, gap_hours)
        play_on(world)
        assert not world.dead, world.dead
        end = books(world, each)
        assert_verified(world, each)
        compare_books(world, is_clean=not each.breaks)
        if not gap_hours:
            texts = [m.text for m in world.messages("notification.commands") if _sends(m)]
            assert any(each.phrase in text for text in texts), texts
        if kill is None:
            assert bool(each.decision) == has_case(world), world.trace[-20:]
            if fails_payouts(each):
                name_failed_payout(world)
        reconcile_settlement(world, each)
        assert_verified(world, each)
        return end


def strike(world: World, kill: Kill | None, gap_hours: int) -> None:
    """Let the kill come from now on, if there is one, and the instance be away after it."""
    if kill is not None:
        worker = world.worker(kill.service)
        worker.crash_at, worker.passes = kill.at, kill.passes
        world.provider.gap_hours = gap_hours


def assert_verified(world: World, each: Course) -> None:
    """Assert that `verify` names the order where its course breaks a check, and nothing else.

    What shelves have missed is named by SKU and return; no money depends on it.
    """
    wrong = broken_checks(world)
    allowed = RESTOCKED if world.provider.refused else frozenset[str]()
    assert set(each.breaks) == wrong.keys() - allowed, (wrong, world.trace[-20:])
    for name in each.breaks:
        assert ("o1",) == wrong[name][0], wrong


def place(world: World, each: Course) -> None:
    """Place the order; cancel it at once, or send it back, where the course says so."""
    if each.stock:
        world.say(
            ReceiveStock(receipt_id="r", sku="tea", quantity=each.stock), "receive", "tea", {}
        )
    placed = OrderPlaced(
        order_id="o1",
        customer_id="c1",
        country="France",
        currency=each.currency,
        lines=(Line(sku="tea", quantity=1, amount_minor=each.total_minor),),
        total_minor=each.total_minor,
        payment_method=each.card,
        ordered_at_ms=world.now,
        capture=each.capture,
    )
    world.say(placed, "placed", "o1", {"country": "France", "began_ms": str(world.now)})
    if each.is_cancelled:
        world.say(OrderCancelRequested(order_id="o1"), "cancel", "o1", {})
    if each.is_returned:
        lines = (ReturnLine(sku="tea", quantity=1),)
        world.say(ReturnRequested(order_id="o1", return_id="b1", lines=lines), "back", "o1", {})


def has_case(world: World) -> bool:
    """Return whether an operator had to decide."""
    cases = CaptureCaseOpened | RefundCaseOpened
    return any(isinstance(each, cases) for each in world.messages("payments"))


def books(world: World, each: Course) -> str:
    """Return how the order ended: once, with the provider, payment and the ledger in agreement."""
    sagas = world.messages("sagas")
    ends = [type(m) for m in sagas if isinstance(m, OrderCompleted | OrderCancelled)]
    assert 1 == len(ends), world.trace[-20:]
    end = "completed" if ends[0] is OrderCompleted else "cancelled"
    provider_state, cash = world.provider.state(), _cash(world)
    at_provider = provider_state["charged_minor"] - provider_state["refunded_minor"]
    assert cash["cash_at_provider"] - _unknown_minor(each) == at_provider, world.trace[-20:]
    assert cash["cash_at_provider"] + cash["cash_at_bank"] == _paid_minor(world)
    if end == each.end:
        kept_minor = each.kept_minor
        if kept_minor is None:
            kept_minor = each.total_minor * (end == "completed")
        assert kept_minor == _paid_minor(world), world.trace[-20:]
    elif end == "cancelled":
        assert 0 == _paid_minor(world), world.trace[-20:]
    assert provider_state["charges"] <= 1
    # A hold that has ended is charged anew by another intent, once an operator has said so.
    assert provider_state["intents"] <= 1 + has_case(world)
    return end


def _paid_minor(world: World) -> int:
    """Return what is left of the money by the messages of payment."""
    left = 0
    for message in world.messages("payments"):
        left += message.amount_minor if isinstance(message, PaymentCompleted) else 0
        left -= message.amount_minor if isinstance(message, PaymentRefunded) else 0
        if isinstance(message, PaymentRefundFailed) and message.was_refunded:
            left += message.amount_minor
    return left


def _cash(world: World) -> Counter[str]:
    """Return the balance of each account of the ledger."""
    balances: Counter[str] = Counter()
    for entry in world.messages("ledger"):
        assert isinstance(entry, EntryPosted)
        for posting in entry.postings:
            balances[posting.account] += posting.debit_minor - posting.credit_minor
    return balances


def broken_checks(world: World) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return which checks of `payflow verify` do not hold, an hour later, and whom they name."""
    facts, workflows = Facts(), tuple(load_workflows().values())
    for log in world.log.values():
        for record in log:
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
            facts.project(workflows, message, envelope)
    for workflow in workflows:
        for name, take in workflow.invariants.rows.items():
            for key, state in _rows(world, name):
                take(facts.of(workflow), key, state)
    moment = Moment(
        now_ms=world.now + HOUR_MS,
        provider=read_provider(world.provider.config),
        carrier={
            order_id: CarrierRecord(status=status, last_ms=world.now)
            for order_id, status in world.carrier.status.items()
        },
    )
    verdict = judge(facts, moment, workflows)
    return {each.name: (each.offending, each.detail) for each in verdict.checks if not each.ok}


def compare_books(world: World, *, is_clean: bool) -> None:
    """Assert that `payflow reconcile` finds nothing, an hour later; or the order alone."""
    own = load_books()
    lines = [*provider_lines(world.provider.config)]
    holds = [*provider_holds(world.provider.config)]
    for _, state in _rows(world, own.table):
        lines += own.lines_of_row(state, world.now)
        holds += own.holds_of_row(state, world.now)
    for entry in world.messages(own.topic.name):
        lines += own.lines_of_entry(entry, world.now)
    compared = reconcile(lines, world.now + HOUR_MS, motion_ms=own.motion_ms)
    assert compared.reconciled is is_clean, compared.offending
    assert {"o1"} >= {item.order_id for item in compared.offending}, compared.offending
    assert 0 == compared.in_motion, compared.moving
    held = compare_holds(holds, world.now + HOUR_MS, motion_ms=own.motion_ms["charge"])
    assert (True, 0) == (held.reconciled, held.in_motion), held.offending


def reconcile_settlement(world: World, each: Course) -> None:
    """Let days go by, read fees and payouts, and assert that all of it reconciles."""
    before = _cash(world)
    settlement = reconciled_after(
        world, RETURN_HOURS if fails_payouts(each) else PAYOUT_HOURS, is_over=True
    )
    cash = _cash(world)
    # What is below zero in all is never paid out.
    assert {"waiting for a payout"} >= {item.state for item in settlement.open_items}, settlement
    for sums in settlement.totals.values():
        assert sums.fees_at_provider_minor == cash["provider_fees"], settlement.totals
        assert sums.in_balance_minor == cash["cash_at_provider"] - _unknown_minor(each), (
            settlement.totals
        )
        assert sums.paid_out_minor == sums.at_bank_minor, settlement.totals
    accounts = ("cash_at_provider", "cash_at_bank", "payout_clearing", "provider_fees")
    moved = [sum(each[name] for name in accounts) for each in (before, cash)]
    assert moved[0] == moved[1], (before, cash)


def reconciled_after(world: World, hours: int, *, is_over: bool) -> Settlement:
    """Return how settlement compares after so many hours, read once more."""
    world.now += hours * HOUR_MS
    for message in world.provider.settlement(is_over=is_over):
        world.say(message, event_id_of(message), message.transaction_id, {})
    world.run()
    own = load_books()
    posted = [
        line
        for entry in world.messages(own.topic.name)
        for line in own.settlement_of_entry(entry, world.now)
    ]
    return compare(read_settlement(world.provider.config), posted, world.now)


def fails_payouts(each: Course) -> bool:
    """Return whether a bank sends payouts back."""
    return any(name.startswith("payout_") for name in each.faults)


def name_failed_payout(world: World) -> None:
    """Read twice a day until a payout has failed; assert that settlement names its order then."""
    open_items: list[OpenItem] = []
    for _ in range(2 * RETURN_HOURS // 24):
        open_items += reconciled_after(world, 12, is_over=False).open_items
    failed = {(each.order_id, each.wrong) for each in open_items if each.state == "payout failed"}
    assert {("o1", True)} == failed, open_items
    assert {"payout failed", *EXPECTED} >= {each.state for each in open_items}, open_items


def _unknown_minor(each: Course) -> int:
    """Return what the provider has refunded and the ledger does not know of."""
    return 0 if each.refers else each.by_hand_minor


def _rows(world: World, table: str) -> list[tuple[str, object]]:
    for worker in world.workers:
        own = worker.agent.table
        if own is not None and own.name == table:
            return worker.rows()
    raise AssertionError(f"no agent has the table {table}")


def _sends(message: object) -> bool:
    return isinstance(message, SendMessage)
