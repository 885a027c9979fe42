"""What an order waits for, in business words: what, since when, until when, and what then.

Part of the order workflow.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from workflows.order.process import SETTLE_MS, deadlines, overdue_at_ms
from workflows.order.state import Order
from workflows.payment.process import Payment
from workflows.shipping.state import Parcel

Status = Literal[
    "unknown", "waiting", "retrying", "compensating", "stuck", "completed", "cancelled"
]
WORDS = {
    "payment": ("the payment provider to answer", "the order is taken back"),
    "inventory": ("every shelf to say whether it has the goods", "the order is taken back"),
    "fraud": ("a verdict on the payment", "the order is taken back, since nothing ships without"),
    "shipping": ("the carrier to take the parcel", "the order is taken back"),
    "delivery": ("the carrier to deliver", "the delivery is told overdue"),
}
STEPS = (*WORDS, "order", "taking back")
"""Where an order can stand: a step that it waits for, its own next word, or on the way back."""


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is waited for. Times are ms."""

    what: str
    since_ms: int
    until_ms: int
    then: str
    """What happens when it does not come in time."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody outside who is asked again and again. Times are ms, 0 where they are not known."""

    who: str
    what: str
    tries: int
    """How often an answer was waited for in vain."""
    reason: str
    since_ms: int
    next_ms: int
    """When they are asked again."""


def status_of(memory: Order, now_ms: int) -> Status:
    """Return how the order stands: a row that says open may be stuck, retrying or going back."""
    stuck_ms = overdue_at_ms(memory)
    states: dict[Status, bool] = {
        "unknown": not memory.order_id,
        "completed": bool(memory.completed_at_ms),
        "cancelled": bool(memory.cancelled_at_ms),
        "stuck": stuck_ms is not None and now_ms > stuck_ms,
        "compensating": memory.cause is not None,
        "retrying": memory.payment.status == "pending" or bool(memory.overdue),
    }
    for status, holds in states.items():
        if holds:
            return status
    return "waiting"


def waits(memory: Order, now_ms: int) -> tuple[tuple[str, Status], ...]:
    """Return of which of STEPS an open order waits, and how; nothing of one that has ended."""
    status = status_of(memory, now_ms)
    if status in ("unknown", "completed", "cancelled"):
        return ()
    if status == "stuck" or memory.cause:
        steps = ("taking back",) if memory.cause else tuple(deadlines(memory)) or ("order",)
        return tuple((step, status) for step in steps)
    again = {*memory.overdue, *(["payment"] if memory.payment.status == "pending" else [])}
    return tuple(
        (step, "retrying" if step in again else "waiting")
        for step in tuple(deadlines(memory)) or ("order",)
    )


def awaited(memory: Order) -> tuple[Awaited, ...]:
    """Return all that is waited for, the soonest due first."""
    found = [*_steps(memory), *_taking_back(memory), *_returns(memory)]
    return tuple(sorted(found, key=lambda each: each.until_ms))


def _steps(memory: Order) -> Iterator[Awaited]:
    since_ms = {
        "payment": memory.payment.at_ms or memory.placed_at_ms,
        "inventory": memory.placed_at_ms,
        "fraud": memory.payment.at_ms,
        "shipping": memory.confirmed_at_ms,
        "delivery": memory.shipping.at_ms,
    }
    for step, until_ms in deadlines(memory).items():
        what, then = WORDS[step]
        yield Awaited(what=what, since_ms=since_ms[step], until_ms=until_ms, then=then)


def _taking_back(memory: Order) -> Iterator[Awaited]:
    if not memory.cause or memory.completed_at_ms or memory.cancelled_at_ms:
        return
    until_ms, since_ms = memory.cause_at_ms + SETTLE_MS, memory.cause_at_ms
    open_: dict[str, bool] = {
        "the money to be given back": memory.payment.status == "completed",
        "the payment to end without money taken": memory.payment.status in ("waiting", "pending"),
        "the goods to be put back on their shelves": memory.inventory.status == "reserved",
        "every shelf to say that it holds nothing": memory.inventory.status == "waiting",
    }
    for what, holds in open_.items():
        if holds:
            then = "the order counts as stuck, and somebody has to look"
            yield Awaited(what=what, since_ms=since_ms, until_ms=until_ms, then=then)


def _returns(memory: Order) -> Iterator[Awaited]:
    ended_ms = memory.completed_at_ms or memory.cancelled_at_ms
    for return_id, back in memory.returns.by_id.items():
        if back.status == "accepted" and not (back.refunded and back.restocked):
            parts = [
                what
                for what, done in (("its money", back.refunded), ("its goods", back.restocked))
                if not done
            ]
            yield Awaited(
                what=f"return {return_id}: {' and '.join(parts)} to be given back",
                since_ms=ended_ms,
                until_ms=ended_ms + SETTLE_MS,
                then="a refund that is overdue is told as such",
            )


def tried(payment: Payment, parcel: Parcel) -> tuple[Tried, ...]:
    """Return who is asked again, as the two who ask outside remember it."""
    return (*_charge(payment), *_refunds(payment), *_parcel(parcel))


def _charge(payment: Payment) -> Iterator[Tried]:
    charge = payment.charge
    if charge.unknown_since_ms is None or charge.outcome:
        return
    voids = charge.asked == "void"
    yield Tried(
        who="the payment provider",
        what="to take no money any more" if voids else "what became of the charge",
        tries=charge.wait.tries,
        reason=charge.reason,
        since_ms=charge.unknown_since_ms,
        next_ms=charge.wait.due_at_ms or 0,
    )


def _refunds(payment: Payment) -> Iterator[Tried]:
    wait = payment.refunds.wait
    for key, refund in payment.refunds.by_key.items():
        if refund.status in ("owed", "asked") and (refund.reason or wait.tries):
            yield Tried(
                who="the payment provider",
                what=f"to give money back ({key})",
                tries=wait.tries,
                reason=refund.reason,
                since_ms=refund.asked_at_ms,
                next_ms=wait.due_at_ms or 0,
            )


def _parcel(parcel: Parcel) -> Iterator[Tried]:
    asks = {
        "booking": "to take the parcel",
        "stopping": "to stop the parcel",
        "travelling": "where the parcel is",
    }
    # What was not known of the booking is remembered also when the parcel travels.
    unknown = parcel.unknown_since_ms is not None and parcel.status != "travelling"
    if parcel.status in asks and (unknown or parcel.wait.tries):
        yield Tried(
            who="the carrier",
            what=asks[parcel.status],
            tries=parcel.wait.tries,
            reason=parcel.reason,
            since_ms=parcel.unknown_since_ms or 0,
            next_ms=parcel.wait.due_at_ms or 0,
        )
