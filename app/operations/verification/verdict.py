"""What `verify` has to say: one value, the same as JSON, as a page and as an exit code. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from app.operations.verification import dead_letter_checks, money_checks, order_checks, stock_checks
from app.operations.verification.case import Case, Check
from app.operations.verification.facts import Facts, OrderFacts, ReturnFacts

CHECKS = (
    order_checks.one_end,
    money_checks.money_agrees,
    money_checks.books_balance,
    money_checks.books_close,
    money_checks.charges_have_orders,
    money_checks.charged_once,
    money_checks.refunds_arrive,
    order_checks.ships_when_due,
    order_checks.carrier_agrees,
    stock_checks.receipts_are_booked,
    stock_checks.shelves_add_up,
    stock_checks.stock_agrees,
    order_checks.returns_settle,
    dead_letter_checks.dead_letters_are_complete,
    dead_letter_checks.poison_is_dead_lettered,
    dead_letter_checks.nothing_parked_late,
)
"""Every check, in the order in which they are shown."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Placed to shipped or cancelled, in ms by the times of the events; all 0 when none has."""

    p50: int = 0
    p95: int = 0
    p99: int = 0
    max: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How Payflow stands. Money in minor units, all currencies added."""

    verify_ok: bool
    at_ms: int
    orders_placed: int
    orders_completed: int
    orders_cancelled: dict[str, int]
    """By cause."""
    orders_open: int
    orders_overdue: int
    orders_moving: int
    """Orders with effects still under way: allowed for by the checks, not skipped."""
    charged_minor: int
    refunded_minor: int
    ledger_imbalance_minor: int
    double_charges: int
    stock_drift_units: int
    dead_letters: dict[str, int]
    """By dead topic."""
    dead_letter_causes: dict[str, int]
    returns_accepted: int
    returns_refused: dict[str, int]
    """By reason."""
    returns_open: int
    latency_ms: Latency
    events_read: int
    events_repeated: int
    """Events read again under the same id: sent twice, counted once."""
    seen: dict[str, str]
    """What could be looked at and what could not: topics, tables, provider, carrier."""
    checks: tuple[Check, ...]


def judge(case: Case, seen: dict[str, str] | None = None) -> Verdict:
    """Return the verdict on `case`; it is ok when every check is."""
    facts = case.facts
    checks = tuple(check(case) for check in CHECKS)
    placed = [(key, known) for key, known in facts.orders.items() if known.placed_ms]
    charged_minor, refunded_minor = _moved(facts)
    return Verdict(
        verify_ok=all(check.ok for check in checks),
        at_ms=case.now_ms,
        orders_placed=len(placed),
        orders_completed=sum(known.completed > 0 for _, known in placed),
        orders_cancelled=_counts(known.cause for _, known in placed if known.cancelled),
        orders_open=sum(known.ends == 0 for _, known in placed),
        orders_overdue=sum(case.overdue(key, known) for key, known in placed),
        orders_moving=sum(case.moving(key, known) for key, known in placed),
        charged_minor=charged_minor,
        refunded_minor=refunded_minor,
        ledger_imbalance_minor=_imbalance(facts),
        double_charges=len(money_checks.charged_twice(facts)),
        stock_drift_units=sum(abs(units) for units in stock_checks.stock_drift(case).values()),
        dead_letters={topic: sum(causes.values()) for topic, causes in sorted(facts.dead.items())},
        dead_letter_causes=_counts(
            cause for causes in facts.dead.values() for cause in causes.elements()
        ),
        returns_accepted=sum(bool(one.accepted_ms) for one in _returns(facts)),
        returns_refused=_counts(one.refused for one in _returns(facts) if one.refused),
        returns_open=sum(
            # One of an order that was never placed waits for that, and for nobody.
            not one.settled
            for _, known in placed
            for one in known.returns.values()
        ),
        latency_ms=_latency([known for _, known in placed]),
        events_read=len(facts.seen),
        events_repeated=facts.duplicates,
        seen=seen or {},
        checks=checks,
    )


def percentile(ascending: Sequence[int], percent: int) -> int:
    """Return the nearest-rank percentile of `ascending`: a value that did occur; 0 of none."""
    if not ascending:
        return 0
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)]


def _latency(orders: Sequence[OrderFacts]) -> Latency:
    taken = sorted(max(0, known.end_ms - known.placed_ms) for known in orders if known.end_ms)
    return Latency(
        p50=percentile(taken, 50),
        p95=percentile(taken, 95),
        p99=percentile(taken, 99),
        max=percentile(taken, 100),
    )


def _moved(facts: Facts) -> tuple[int, int]:
    """Return what was charged and refunded: by the provider's own records where they are seen."""
    if facts.provider is not None:
        taken = facts.provider.values()
        return sum(one.charged_minor for one in taken), sum(one.refunded_minor for one in taken)
    orders = facts.orders.values()
    return sum(one.paid_minor for one in orders), sum(one.refunded_minor for one in orders)


def _imbalance(facts: Facts) -> int:
    off = 0
    for known in facts.orders.values():
        totals: Counter[str] = Counter()
        for account, amount in known.accounts.items():
            totals[account.partition("/")[0]] += amount
        off += sum(abs(total) for total in totals.values())
    return off


def _returns(facts: Facts) -> Iterator[ReturnFacts]:
    for known in facts.orders.values():
        yield from known.returns.values()


def _counts(labels: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(labels).items()))
