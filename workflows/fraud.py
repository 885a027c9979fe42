"""Judging a payment: a plain first version with reasons that people can read.

Time is the time of the order, as the event tells it: a replay judges as the first run did.
"""

import msgspec
from msgspec.structs import replace

from workflows.message import Message
from workflows.money import money
from workflows.words.fraud import CheckPayment, FraudCleared, FraudDetected, FraudWord
from workflows.words.payment import PaymentCompleted

RULES_VERSION = "plain-1"
WINDOW_MS = 300_000
"""Velocity is counted in the five minutes up to and including the payment, exactly."""
WINDOW_COUNT_MAX = 4
WINDOW_SUM_MAX_MINOR = 5_000_00
LARGE_MINOR = 8_000_00
"""Large for anyone."""
LARGE_FIRST_MINOR = 4_000_00
"""Large for a customer nobody has seen before."""
LARGE_GUEST_MINOR = 6_000_00
"""Large for a guest, of whom nothing can be known."""
BLOCK_SCORE = 0.5
LATE_MS = 3_600_000
"""A payment may arrive this much later than a newer one and still be counted exactly."""
PAYMENTS_MAX = 200
"""Kept of one customer, the latest: so many in an hour are far above the limit anyway."""
VERDICTS_MAX = 64
"""Remembered of one customer, the last told: asked again, these are repeated as they were."""

# --- memory ------------------------------------------------------------------


class Seen(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One payment of this customer."""

    at_ms: int
    amount_minor: int
    order_id: str


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer did lately, and what was judged of it."""

    payments: tuple[Seen, ...] = ()
    """In the order of their time, the oldest first."""
    known_since_ms: int | None = None
    verdicts: tuple[FraudWord, ...] = ()


INITIAL = Customer()

# --- judgment ----------------------------------------------------------------


def ask(_memory: None, heard: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the question that a completed payment raises, filed under its customer."""
    if not isinstance(heard, PaymentCompleted):
        return ()
    return (
        CheckPayment(
            order_id=heard.order_id,
            customer=heard.customer_id or f"guest:{heard.order_id}"[:128],
            guest=not heard.customer_id,
            amount_minor=heard.amount_minor,
            currency=heard.currency,
            country=heard.country,
            ordered_at_ms=heard.ordered_at_ms,
        ),
    )


def decide(memory: Customer, heard: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the verdict on a payment; the same payment always hears the same."""
    if not isinstance(heard, CheckPayment):
        return ()
    for verdict in memory.verdicts:
        if verdict.order_id == heard.order_id:
            return (verdict,)
    findings = (_amount(heard), _velocity(memory, heard), _first(memory, heard))
    found = [finding for finding in findings if finding]
    score = min(sum(weight for weight, _ in found), 1.0)
    word = FraudDetected if score >= BLOCK_SCORE else FraudCleared
    reasons = tuple(reason for _, reason in found)
    return (
        word(order_id=heard.order_id, score=score, reasons=reasons, rules_version=RULES_VERSION),
    )


def _amount(heard: CheckPayment) -> tuple[float, str] | None:
    if heard.amount_minor <= LARGE_MINOR:
        return None
    return 0.6, _above(heard, heard.amount_minor, LARGE_MINOR)


def _velocity(memory: Customer, heard: CheckPayment) -> tuple[float, str] | None:
    """Judge the fullest five minutes that end with this payment or with a later one known by now.

    In the order of their time there is no later one; a late arrival completes a burst all the same.
    """
    this = Seen(at_ms=heard.ordered_at_ms, amount_minor=heard.amount_minor, order_id=heard.order_id)
    every = [seen for seen in memory.payments if seen.order_id != this.order_id]
    ends = {seen.at_ms for seen in every if 0 <= seen.at_ms - this.at_ms < WINDOW_MS} | {this.at_ms}
    windows = [[this, *_within(every, end_ms)] for end_ms in sorted(ends)]
    count = max(len(window) for window in windows)
    total = max(sum(seen.amount_minor for seen in window) for window in windows)
    if count > WINDOW_COUNT_MAX:
        return 0.6, f"{count} payments in 5 minutes (limit {WINDOW_COUNT_MAX})"
    if count > 1 and total > WINDOW_SUM_MAX_MINOR:
        return 0.5, f"{_above(heard, total, WINDOW_SUM_MAX_MINOR)} in 5 minutes"
    return None


def _within(payments: list[Seen], end_ms: int) -> list[Seen]:
    return [seen for seen in payments if end_ms - WINDOW_MS < seen.at_ms <= end_ms]


def _first(memory: Customer, heard: CheckPayment) -> tuple[float, str] | None:
    limit_minor = LARGE_GUEST_MINOR if heard.guest else LARGE_FIRST_MINOR
    known = memory.known_since_ms is not None and memory.known_since_ms <= heard.ordered_at_ms
    if heard.amount_minor <= limit_minor or (known and not heard.guest):
        return None
    who = "a guest" if heard.guest else "a new customer"
    return 0.5, f"{_above(heard, heard.amount_minor, limit_minor)} by {who}"


def _above(heard: CheckPayment, amount_minor: int, limit_minor: int) -> str:
    return f"{money(amount_minor, heard.currency)} (limit {money(limit_minor, heard.currency)})"


# --- fold --------------------------------------------------------------------


def evolve(memory: Customer, word: Message, _at_ms: int) -> Customer:
    """Return `memory` after `word`, heard or told."""
    match word:
        case CheckPayment(order_id=order_id) if order_id not in _orders(memory):
            return _with(memory, word)
        case FraudDetected(order_id=order_id) | FraudCleared(order_id=order_id):
            if any(verdict.order_id == order_id for verdict in memory.verdicts):
                return memory
            return replace(memory, verdicts=(*memory.verdicts, word)[-VERDICTS_MAX:])
        case _:
            return memory


def _orders(memory: Customer) -> set[str]:
    return {seen.order_id for seen in memory.payments}


def _with(memory: Customer, checked: CheckPayment) -> Customer:
    at_ms, since_ms = checked.ordered_at_ms, memory.known_since_ms
    seen = Seen(at_ms=at_ms, amount_minor=checked.amount_minor, order_id=checked.order_id)
    # Counted from this payment, not from the newest: one wrong clock does not blind the window.
    kept = [each for each in memory.payments if each.at_ms > at_ms - WINDOW_MS - LATE_MS]
    payments = sorted([*kept, seen], key=lambda each: (each.at_ms, each.order_id))
    return replace(
        memory,
        payments=tuple(payments[-PAYMENTS_MAX:]),
        known_since_ms=at_ms if since_ms is None else min(at_ms, since_ms),
    )
