"""A top-up: requested, charged, cleared, credited; or refunded: fraud, or a blocked card."""

from typing import Any

import msgspec
from msgspec.structs import replace
from workflows.giftcard.messages import (
    Cause,
    CreditRefused,
    TopUpCancelled,
    TopUpCredited,
    TopUpRequested,
)

from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.payment.instructions import CancelPayment, RequestPayment
from workflows.payment.messages import PaymentCompleted, PaymentFailed, PaymentRefunded
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.personal import Personal
from workflows.shared.reaction import declare_reactions

PAYMENT_MS = 240_000
BLOCKED = "blocked"
"""How the ids of cards begin that take no credit."""

# --- state ------------------------------------------------------------------


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """What one top-up remembers. Moments are ms, 0 while they have not come."""

    top_up_id: str = ""
    card_id: str = ""
    bearer: Personal[str] = ""
    """The recipient; no message has a field of this name."""
    customer_id: Personal[str] = ""
    wrapping: str = ""
    currency: str = ""
    amount_minor: int = 0
    requested_at_ms: int = 0
    charged_at_ms: int = 0
    cleared_at_ms: int = 0
    refused_at_ms: int = 0
    cause: Cause | None = None
    paid_back: bool = False
    """No money of it is with us: none was taken, or it was refunded."""
    overdue: bool = False
    credited_at_ms: int = 0
    cancelled_at_ms: int = 0


INITIAL = TopUp()

# --- decide ----------------------------------------------------------------


def due(state: TopUp) -> int | None:
    """Return when the payment, or the verdict on it, is overdue (ms), or None."""
    is_paid = state.charged_at_ms and state.cleared_at_ms
    waits = state.top_up_id and not (is_paid or state.cause or state.overdue)
    return state.requested_at_ms + PAYMENT_MS if waits else None


def pending(state: TopUp) -> tuple[Message, ...]:
    """Return what to emit of the top-up."""
    top_up_id = state.top_up_id
    if not top_up_id or state.credited_at_ms or state.cancelled_at_ms:
        return ()
    if state.cause:
        end = TopUpCancelled(top_up_id=top_up_id, cause=state.cause)
        return (end,) if state.paid_back else ()
    if state.overdue:
        return (CreditRefused(top_up_id=top_up_id, reason="the payment is overdue"),)
    if not (state.charged_at_ms and state.cleared_at_ms):
        return ()
    if state.card_id.startswith(BLOCKED):
        return (CreditRefused(top_up_id=top_up_id, reason="the card is blocked"),)
    card_id, amount_minor = state.card_id, state.amount_minor
    return (TopUpCredited(top_up_id=top_up_id, card_id=card_id, amount_minor=amount_minor),)


# --- evolve --------------------------------------------------------------------


def evolve(state: TopUp, message: Message, at_ms: int) -> TopUp:  # noqa: C901, PLR0911  one match
    """Return `state` after `message`, received or emitted."""
    match message:
        case TopUpRequested() if not state.top_up_id:
            return replace(
                state,
                top_up_id=message.top_up_id,
                card_id=message.card_id,
                bearer=message.recipient,
                customer_id=message.customer_id,
                wrapping=message.wrapping,
                currency=message.currency,
                amount_minor=message.amount_minor,
                requested_at_ms=at_ms,
            )
        case PaymentCompleted() if not state.charged_at_ms:
            return replace(state, charged_at_ms=at_ms, paid_back=False)
        case PaymentFailed() if not state.charged_at_ms:
            return replace(state, cause=state.cause or "payment_failed", paid_back=True)
        case FraudCleared():
            return replace(state, cleared_at_ms=at_ms)
        case FraudDetected() if not state.credited_at_ms:
            return replace(state, cause=state.cause or "fraud", refused_at_ms=at_ms)
        case PaymentRefunded():
            return replace(state, paid_back=True)
        case DeadlineReached():
            return replace(state, overdue=due(state) is not None)
        case CreditRefused():
            return replace(state, cause="credit_refused", refused_at_ms=at_ms)
        case TopUpCredited():
            return replace(state, credited_at_ms=at_ms)
        case TopUpCancelled():
            return replace(state, cancelled_at_ms=at_ms)
        case _:
            return state


# --- reactions: what payment does about a top-up, and about the verdict on it ---


def _request_payment(requested: TopUpRequested) -> RequestPayment:
    return RequestPayment(
        transaction_id=requested.top_up_id,
        customer_id=requested.customer_id,
        country=requested.country,
        currency=requested.currency,
        total_minor=requested.amount_minor,
        goods_minor=requested.amount_minor,
        payment_method=requested.payment_method,
        ordered_at_ms=requested.requested_at_ms,
    )


def _cancel_payment(_event: CreditRefused | FraudDetected) -> CancelPayment:
    return CancelPayment()


declare_reactions(
    "giftcard",
    "payment",
    {
        TopUpRequested: _request_payment,
        CreditRefused: _cancel_payment,
        FraudDetected: _cancel_payment,
    },
)


# --- views -------------------------------------------------------------------


def status_of(state: TopUp) -> str:
    """Return the status of the top-up."""
    if state.credited_at_ms:
        return "credited"
    if state.cancelled_at_ms:
        return "cancelled"
    return "compensating" if state.cause else "waiting"


def view(state: TopUp) -> dict[str, Any]:
    """Return the top-up as people and the API read it."""
    return {
        "top_up_id": state.top_up_id,
        "state": status_of(state),
        "card_id": state.card_id,
        "bearer": state.bearer,
        "wrapping": state.wrapping,
        "amount_minor": state.amount_minor,
        "currency": state.currency,
        "requested_at_ms": state.requested_at_ms,
        "cause": state.cause,
    }
