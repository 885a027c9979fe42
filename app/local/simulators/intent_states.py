"""The states of a payment intent: pure, with time as data.

The states are those of docs.stripe.com/payments/paymentintents/lifecycle.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from app.local.simulators.provider_cards import (
    AUTHENTICATION_FAILED,
    card_of,
    decline_error,
)
from app.local.simulators.provider_records import Intent
from workflows.shared.personal import Personal

CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
CANCELABLE = frozenset({*CONFIRMABLE, "requires_capture"})
"""docs.stripe.com/api/payment_intents/cancel; what is `processing` Stripe cancels in rare cases."""
CAPTURE_MS = 7 * 86_400_000
"""How long an authorization holds: docs.stripe.com/payments/place-a-hold-on-a-payment-method."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to pay: the card, the time, and what a fault adds."""

    payment_method: Personal[str]
    now_ms: int
    action_url: str
    """Where the customer would confirm."""
    return_url: str | None = None
    off_session: bool = False
    wants_action: bool = False
    """Whether 3-D Secure is asked for where a card leaves it open."""
    decline: str = ""
    short_minor: int = 0
    processing_ms: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An intent after a change, and what is taken from the card with it."""

    intent: Intent
    taken_minor: int = 0
    error: Mapping[str, str] | None = None
    """Why the request that asked for it is refused."""


def attempt(intent: Intent, now: Attempt) -> Step:
    """Return what confirming by this card leads to."""
    card = card_of(now.payment_method)
    fresh = replace(
        intent,
        payment_method=now.payment_method,
        return_url=now.return_url or intent.return_url,
        last_error=None,
        action_url=None,
    )
    needs_action = (
        card.action == "always"
        or (card.action == "on_session" and not now.off_session)
        or (card.action == "asked" and now.wants_action)
    )
    if now.decline:
        return decline(fresh, decline_error(now.decline))
    if needs_action and now.off_session:
        # Nobody is there to confirm (docs.stripe.com/declines/codes, authentication_required).
        return decline(fresh, decline_error("authentication_required"))
    if needs_action:
        return Step(intent=replace(fresh, status="requires_action", action_url=now.action_url))
    return _pay(fresh, now.now_ms, now.processing_ms, now.short_minor)


def authenticate(intent: Intent, *, passed: bool, now_ms: int) -> Step:
    """Return what the customer's answer leads to: docs.stripe.com/payments/3d-secure."""
    answered = replace(intent, action_url=None)
    return _pay(answered, now_ms) if passed else decline(answered, AUTHENTICATION_FAILED)


def _pay(intent: Intent, now_ms: int, processing_ms: int = 0, short_minor: int = 0) -> Step:
    card = card_of(intent.payment_method)
    if card.takes_time:
        return Step(intent=replace(intent, status="processing", due_ms=now_ms + processing_ms))
    if card.decline:
        return decline(intent, decline_error(card.decline))
    if intent.capture_method == "manual":
        return _authorize(intent, now_ms, short_minor)
    return take(intent, intent.amount_minor - short_minor)


def _authorize(intent: Intent, now_ms: int, short_minor: int) -> Step:
    return Step(
        intent=replace(
            intent,
            status="requires_capture",
            authorized_minor=intent.amount_minor - short_minor,
            authorized_ms=now_ms,
            capture_before_ms=now_ms + CAPTURE_MS,
            due_ms=now_ms + CAPTURE_MS,
        )
    )


def take(intent: Intent, amount_minor: int) -> Step:
    """Return the intent after money was taken; the rest of an authorization is released."""
    paid = replace(intent, status="succeeded", due_ms=None)
    return Step(intent=paid, taken_minor=max(1, amount_minor))


def decline(intent: Intent, error: Mapping[str, str]) -> Step:
    """Return the intent after a try has failed: it waits for another card."""
    open_again = replace(
        intent,
        status="requires_payment_method",
        payment_method=None,
        last_error=dict(error),
        due_ms=None,
    )
    return Step(intent=open_again, error=error)


def cancel(intent: Intent, reason: str | None, now_ms: int) -> Step:
    """Return the intent canceled: it can never charge."""
    return Step(
        intent=replace(
            intent,
            status="canceled",
            canceled_ms=now_ms,
            cancellation_reason=reason,
            action_url=None,
            due_ms=None,
        )
    )


def fall_due(intent: Intent, now_ms: int) -> Step:
    """Return what time has made of an intent whose `due_ms` has come."""
    if intent.status == "requires_capture":
        return cancel(intent, "automatic", now_ms)
    failure = card_of(intent.payment_method).decline
    if failure:
        return decline(intent, decline_error(failure))
    return take(intent, intent.amount_minor)
