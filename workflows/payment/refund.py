"""Giving money back, in part or whole: each refund once, in sum never more than was charged.

Part of the payment workflow. A refund is asked for until the provider has given it, for ever, under
one key; one that takes too long becomes RefundOverdue once, for operators.
"""

from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from workflows.payment.charge import Bill
from workflows.payment.messages import PaymentRefunded, RefundOverdue
from workflows.payment.provider_messages import RefundCharge, RefundSucceeded, RefundUnknown
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.retry import Wait, backoff_ms, reached, rest, wait_until, wake

ANSWER_MS = 30_000
"""How long an answer may take before the refund is asked for again."""
BACKOFF_FIRST_MS = 1_000
BACKOFF_MS_MAX = 60_000
OVERDUE_MS = 300_000
"""When an unknown refund becomes RefundOverdue: later than any forward step."""
COMPENSATION = "compensation"
"""The refund key of a cancelled order's refund; returns use their own id."""

# --- state ------------------------------------------------------------------

Status = Literal["owed", "asked", "given", "told"]


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund: due, requested, refunded by the provider, emitted."""

    amount_minor: int
    status: Status = "owed"
    refund_id: str = ""
    asked_at_ms: int = 0
    """When it was first requested; 0 before that, and in rows older than this field."""
    reason: str = ""
    """Why it is not known."""
    overdue: Literal["", "noticed", "told"] = ""


class Refunds(msgspec.Struct, frozen=True, kw_only=True):
    """All refunds of one charge, by refund key."""

    by_key: dict[str, Refund] = {}
    wait: Wait = Wait()


# --- decide ----------------------------------------------------------------


def left_minor(refunds: Refunds, bill: Bill) -> int:
    """Return what of the charge is neither refunded nor on its way, in minor units."""
    return bill.total_minor - sum(refund.amount_minor for refund in refunds.by_key.values())


def pending(refunds: Refunds, bill: Bill, payment_id: str) -> tuple[Message, ...]:
    """Return what to ask or emit of the refunds."""
    messages: list[Message] = []
    for key, refund in refunds.by_key.items():
        if refund.status == "owed":
            messages.append(_ask(key, refund, refunds, bill, payment_id))
        if refund.status == "given":
            messages.append(_publish(key, refund, bill, payment_id))
        elif refund.overdue == "noticed":
            messages.append(_complain(key, refund, bill, payment_id))
    return tuple(messages)


def _ask(key: str, refund: Refund, refunds: Refunds, bill: Bill, payment_id: str) -> Message:
    return RefundCharge(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_key=key,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        attempt=refunds.wait.tries,
    )


def _publish(key: str, refund: Refund, bill: Bill, payment_id: str) -> Message:
    compensates = key == COMPENSATION
    return PaymentRefunded(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_id=refund.refund_id,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        kind="compensation" if compensates else "return",
        return_id="" if compensates else key,
    )


def _complain(key: str, refund: Refund, bill: Bill, payment_id: str) -> Message:
    return RefundOverdue(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_key=key,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        asked_at_ms=refund.asked_at_ms,
        reason=refund.reason or "no answer",
    )


# --- evolve --------------------------------------------------------------------


def request(refunds: Refunds, bill: Bill, key: str, amount_minor: int) -> Refunds:
    """Return `refunds` owing `amount_minor` under `key`, once, and no more than is left."""
    amount_minor = min(amount_minor, left_minor(refunds, bill))
    if key in refunds.by_key or amount_minor <= 0:
        return refunds
    return _put(refunds, key, Refund(amount_minor=amount_minor))


def evolve(refunds: Refunds, message: Message, at_ms: int) -> Refunds:  # noqa: PLR0911  one match
    """Return `refunds` after `message`, received or emitted."""
    match message:
        case RefundCharge(refund_key=key):
            asked_at_ms = refunds.by_key[key].asked_at_ms or at_ms
            asked = _change(refunds, key, status="asked", asked_at_ms=asked_at_ms)
            return replace(asked, wait=wait_until(refunds.wait, at_ms + ANSWER_MS))
        case RefundUnknown(refund_key=key, reason=reason) if _is(refunds, key, "asked"):
            pause_ms = backoff_ms(
                refunds.wait.tries, first_ms=BACKOFF_FIRST_MS, most_ms=BACKOFF_MS_MAX
            )
            unknown = _change(refunds, key, reason=reason)
            return replace(unknown, wait=wait_until(refunds.wait, at_ms + pause_ms))
        case RefundOverdue(refund_key=key):
            return _change(refunds, key, overdue="told")
        case RefundSucceeded(refund_key=key, refund_id=refund_id) if _is(
            refunds, key, "owed", "asked"
        ):
            return _change(refunds, key, status="given", refund_id=refund_id)
        case PaymentRefunded(kind=kind, return_id=return_id):
            key = COMPENSATION if kind == COMPENSATION else return_id
            return _rest(_change(refunds, key, status="told"))
        case DeadlineReached():
            return _woken(refunds, message, at_ms)
        case _:
            return refunds


def _woken(refunds: Refunds, received: DeadlineReached, at_ms: int) -> Refunds:
    again = refunds
    if reached(refunds.wait.due_at_ms, received):
        for key, refund in refunds.by_key.items():
            if refund.status == "asked":
                late = bool(refund.asked_at_ms) and at_ms - refund.asked_at_ms >= OVERDUE_MS
                overdue = refund.overdue or ("noticed" if late else "")
                again = _change(again, key, status="owed", overdue=overdue)
    return replace(again, wait=wake(refunds.wait, received))


def _rest(refunds: Refunds) -> Refunds:
    if any(refund.status == "asked" for refund in refunds.by_key.values()):
        return refunds
    return replace(refunds, wait=rest(refunds.wait))


def _is(refunds: Refunds, key: str, *statuses: Status) -> bool:
    return key in refunds.by_key and refunds.by_key[key].status in statuses


def _change(refunds: Refunds, key: str, **changed: Any) -> Refunds:
    return _put(refunds, key, replace(refunds.by_key[key], **changed))


def _put(refunds: Refunds, key: str, refund: Refund) -> Refunds:
    return replace(refunds, by_key={**refunds.by_key, key: refund})
