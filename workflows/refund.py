"""Giving money back, in part or whole: each refund once, in sum never more than was charged.

Part of the payment workflow. A refund is asked for until the provider has given it, for ever.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.charge import Bill
from workflows.message import Message
from workflows.retry import Wait, backoff_ms, reached, rest, wait_until, wake
from workflows.words.deadline import DeadlineReached
from workflows.words.payment import PaymentRefunded
from workflows.words.provider import RefundCharge, RefundSucceeded, RefundUnknown

ANSWER_MS = 30_000
"""How long an answer may take before the refund is asked for again."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 60_000
COMPENSATION = "compensation"
"""The refund key of all that goes back when the order cannot be had; returns use their own id."""

# --- memory ------------------------------------------------------------------

Status = Literal["owed", "asked", "given", "told"]


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund: owed, asked of the provider, given by it, told to the house."""

    amount_minor: int
    status: Status = "owed"
    refund_id: str = ""


class Refunds(msgspec.Struct, frozen=True, kw_only=True):
    """All refunds of one charge, by refund key."""

    by_key: dict[str, Refund] = {}
    wait: Wait = Wait()


# --- judgment ----------------------------------------------------------------


def left_minor(refunds: Refunds, bill: Bill) -> int:
    """Return what of the charge is neither given back nor on its way, in minor units."""
    return bill.total_minor - sum(refund.amount_minor for refund in refunds.by_key.values())


def owed(refunds: Refunds, bill: Bill, payment_id: str) -> tuple[Message, ...]:
    """Return what to ask or tell of the refunds."""
    words: list[Message] = []
    for key, refund in refunds.by_key.items():
        if refund.status == "owed":
            words.append(_ask(key, refund, refunds, bill, payment_id))
        if refund.status == "given":
            words.append(_tell(key, refund, bill, payment_id))
    return tuple(words)


def _ask(key: str, refund: Refund, refunds: Refunds, bill: Bill, payment_id: str) -> Message:
    return RefundCharge(
        order_id=bill.order_id,
        payment_id=payment_id,
        refund_key=key,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        attempt=refunds.wait.tries,
    )


def _tell(key: str, refund: Refund, bill: Bill, payment_id: str) -> Message:
    compensates = key == COMPENSATION
    return PaymentRefunded(
        order_id=bill.order_id,
        payment_id=payment_id,
        refund_id=refund.refund_id,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        kind="compensation" if compensates else "return",
        return_id="" if compensates else key,
    )


# --- fold --------------------------------------------------------------------


def owe(refunds: Refunds, bill: Bill, key: str, amount_minor: int) -> Refunds:
    """Return `refunds` owing `amount_minor` under `key`, once, and no more than is left."""
    amount_minor = min(amount_minor, left_minor(refunds, bill))
    if key in refunds.by_key or amount_minor <= 0:
        return refunds
    return _put(refunds, key, Refund(amount_minor=amount_minor))


def evolve(refunds: Refunds, word: Message, at_ms: int) -> Refunds:
    """Return `refunds` after `word`, heard or told."""
    match word:
        case RefundCharge(refund_key=key):
            asked = _turn(refunds, key, "asked")
            return replace(asked, wait=wait_until(refunds.wait, at_ms + ANSWER_MS))
        case RefundUnknown(refund_key=key) if _is(refunds, key, "asked"):
            pause_ms = backoff_ms(
                refunds.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX
            )
            return replace(refunds, wait=wait_until(refunds.wait, at_ms + pause_ms))
        case RefundSucceeded(refund_key=key, refund_id=refund_id) if _is(
            refunds, key, "owed", "asked"
        ):
            given = replace(refunds.by_key[key], status="given", refund_id=refund_id)
            return _put(refunds, key, given)
        case PaymentRefunded(kind=kind, return_id=return_id):
            return _rest(
                _turn(refunds, COMPENSATION if kind == COMPENSATION else return_id, "told")
            )
        case DeadlineReached():
            return _woken(refunds, word)
        case _:
            return refunds


def _woken(refunds: Refunds, heard: DeadlineReached) -> Refunds:
    again = refunds
    if reached(refunds.wait.due_at_ms, heard):
        for key, refund in refunds.by_key.items():
            again = _turn(again, key, "owed") if refund.status == "asked" else again
    return replace(again, wait=wake(refunds.wait, heard))


def _rest(refunds: Refunds) -> Refunds:
    if any(refund.status == "asked" for refund in refunds.by_key.values()):
        return refunds
    return replace(refunds, wait=rest(refunds.wait))


def _is(refunds: Refunds, key: str, *statuses: Status) -> bool:
    return key in refunds.by_key and refunds.by_key[key].status in statuses


def _turn(refunds: Refunds, key: str, status: Status) -> Refunds:
    return _put(refunds, key, replace(refunds.by_key[key], status=status))


def _put(refunds: Refunds, key: str, refund: Refund) -> Refunds:
    return replace(refunds, by_key={**refunds.by_key, key: refund})
