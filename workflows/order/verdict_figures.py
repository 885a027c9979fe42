"""The figures of the verdict about orders: how many of each status, and what moved by currency."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from workflows.inventory import invariants as stock_checks
from workflows.order import hold_checks, money_checks
from workflows.order.facts import Facts, OrderFacts, ReturnFacts
from workflows.order.snapshot import Snapshot
from workflows.shared.invariants import percentile


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Placed to shipped or cancelled, in ms by the times of the events; all 0 when none has."""

    p50: int = 0
    p95: int = 0
    p99: int = 0
    max: int = 0


class OrderFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The orders by status. Money in minor units of its currency."""

    orders_placed: int
    orders_completed: int
    orders_cancelled: dict[str, int]
    """By cause."""
    orders_open: int
    orders_overdue: int
    orders_awaiting_action: int
    """Orders whose customer, or whose bank, may still act; none of them is stuck."""
    orders_moving: int
    """Orders with effects still under way: allowed for by the checks, not skipped."""
    authorized_minor: dict[str, int]
    """What was held on cards, by currency. It is captured, voided or still held."""
    captured_minor: dict[str, int]
    voided_minor: dict[str, int]
    held_minor: dict[str, int]
    charged_minor: int | None
    """None when there is more than one currency: then only the amounts by currency say it."""
    refunded_minor: int | None
    charged_by_currency: dict[str, int]
    refunded_by_currency: dict[str, int]
    trial_balance: dict[str, dict[str, int]]
    """Debits less credits of each account of the ledger, by currency."""
    ledger_imbalance_minor: int
    double_charges: int
    stock_drift_units: int
    orders_shipped_in_part: int
    not_charged_minor: dict[str, int]
    """What was ordered and neither came nor was charged, of orders that shipped, by currency."""
    returns_accepted: int
    returns_refused: dict[str, int]
    """By reason."""
    returns_open: int
    latency_ms: Latency


def figures_of(snapshot: Snapshot) -> OrderFigures:
    """Return the orders by status."""
    facts = snapshot.facts
    placed = [(key, order) for key, order in facts.orders.items() if order.placed_ms]
    charged, refunded = money_checks.moved_minor(snapshot)
    is_one = len(charged.keys() | refunded.keys()) <= 1
    return OrderFigures(
        orders_placed=len(placed),
        orders_completed=sum(order.completed > 0 for _, order in placed),
        orders_cancelled=_counts(order.cause for _, order in placed if order.cancelled),
        orders_open=sum(order.ends == 0 for _, order in placed),
        orders_overdue=sum(snapshot.overdue(key, order) for key, order in placed),
        orders_awaiting_action=sum(snapshot.awaits_action(order) for _, order in placed),
        orders_moving=sum(snapshot.moving(key, order) for key, order in placed),
        authorized_minor=hold_checks.by_currency(snapshot, lambda one: one.authorized_minor),
        captured_minor=hold_checks.by_currency(snapshot, lambda one: one.captured_minor),
        voided_minor=hold_checks.by_currency(snapshot, hold_checks.released_minor),
        held_minor=hold_checks.by_currency(snapshot, hold_checks.open_minor),
        charged_minor=charged.total() if is_one else None,
        refunded_minor=refunded.total() if is_one else None,
        charged_by_currency=dict(sorted(charged.items())),
        refunded_by_currency=dict(sorted(refunded.items())),
        trial_balance=money_checks.trial_balance(snapshot),
        ledger_imbalance_minor=money_checks.imbalance_minor(snapshot),
        double_charges=len(money_checks.charged_twice(snapshot)),
        orders_shipped_in_part=sum(bool(order.shipped and order.partial) for _, order in placed),
        not_charged_minor=_not_charged(facts),
        stock_drift_units=sum(abs(units) for units in stock_checks.stock_drift(snapshot).values()),
        returns_accepted=sum(bool(one.accepted_ms) for one in _returns(facts)),
        returns_refused=_counts(one.refused for one in _returns(facts) if one.refused),
        returns_open=sum(
            # A return of an order that was never placed waits for the order, not for a service.
            not one.is_over
            for _, order in placed
            for one in order.returns.values()
        ),
        latency_ms=_latency([order for _, order in placed]),
    )


def _not_charged(facts: Facts) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for order in facts.orders.values():
        if order.shipped and order.partial:
            sums[order.partial.currency] += order.released_minor
    return dict(sorted(sums.items()))


def _latency(known_orders: list[OrderFacts]) -> Latency:
    durations_ms = sorted(
        max(0, order.end_ms - order.placed_ms) for order in known_orders if order.end_ms
    )
    return Latency(
        p50=percentile(durations_ms, 50),
        p95=percentile(durations_ms, 95),
        p99=percentile(durations_ms, 99),
        max=percentile(durations_ms, 100),
    )


def _returns(facts: Facts) -> Iterator[ReturnFacts]:
    for order in facts.orders.values():
        yield from order.returns.values()


def _counts(labels: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(labels).items()))
