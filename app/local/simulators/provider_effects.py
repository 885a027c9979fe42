"""The effects of requests on the provider's records. Each runs in a transaction of its caller.

A returned answer is stored under the request's key, errors too; a raised error occurred before any
effect, and is not stored.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from app.local.simulators.provider_records import Course, Intent, Refund
from app.local.simulators.provider_shapes import (
    Answer,
    StripeError,
    event_shape,
    intent_shape,
    invalid,
    missing,
    refund_shape,
)
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.webhooks import Sender

AMOUNT_MINOR_MAX = 100_000_000_000
METADATA_MAX = 50
DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_visa_chargeDeclinedLostCard": "lost_card",
    "pm_card_visa_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": "card_velocity_exceeded",
    "pm_card_chargeDeclinedFraudulent": "fraudulent",
    "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
}
"""Stripe's test tokens that never charge, and why. Every other `pm_card_...` charges."""
OWN_CODES = frozenset({"expired_card", "incorrect_cvc", "processing_error"})
"""Declines that have a code of their own; the code of the others is `card_declined`."""
PENDS = Course(status="pending", next_status="succeeded")
FAILS = Course(next_status="failed")
REFUNDS = {"pm_card_pendingRefund": PENDS, "pm_card_refundFail": FAILS}
"""Stripe's test tokens whose refunds change later (docs.stripe.com/testing#refunds)."""
EVENTS = {
    "succeeded": "payment_intent.succeeded",
    "requires_payment_method": "payment_intent.payment_failed",
    "canceled": "payment_intent.canceled",
}

Params = Mapping[str, str]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: its parameters, its key, and whether a fault declines the card."""

    params: Params
    key: str
    intent_id: str = ""
    decline: bool = False
    short: bool = False
    """Whether one minor unit less is charged."""
    course: Course = Course()
    """Of a refund, where its card has none of its own."""


class Effects:
    """The four requests: create, confirm, cancel, refund."""

    def __init__(self, store: ProviderStore, sender: Sender) -> None:
        self._store = store
        self._sender = sender

    def created(self, call: Call) -> Answer:
        """Enter a new intent; confirm it at once when asked to."""
        currency = call.params.get("currency", "")
        if not re.fullmatch("[a-z]{3}", currency):
            raise invalid(f"Invalid currency: {currency}", "currency")
        method = call.params.get("payment_method") or None
        _check_method(method)
        confirms = call.params.get("confirm") == "true"
        if confirms and method is None:
            raise invalid("A payment method is needed to confirm.", "payment_method")
        amount = _amount(call.params, "amount")
        metadata = _metadata(call.params)
        intent = self._store.create_intent(call.key, amount, currency, method, metadata)
        if confirms and method:
            return self._attempt(call, intent, method)
        return Answer(body=intent_shape(intent))

    def confirmed(self, call: Call) -> Answer:
        """Charge or decline, once: a closed intent stays as it is."""
        intent = self.known(call.intent_id)
        method = call.params.get("payment_method") or intent.payment_method
        _check_method(method)
        if intent.status in {"succeeded", "canceled"}:
            return _unexpected(intent, "confirm").answer
        if method is None:
            raise invalid("A payment method is needed to confirm.", "payment_method")
        return self._attempt(call, intent, method)

    def _attempt(self, call: Call, intent: Intent, method: str) -> Answer:
        """Charge the card, or decline it; queue a webhook either way."""
        decline_code = DECLINES.get(method) or ("generic_decline" if call.decline else "")
        if not decline_code:
            charged = self._store.charge(intent, method, short_minor=int(call.short))
            self._notify(call, charged)
            return Answer(body=intent_shape(charged))
        error = {
            "type": "card_error",
            "code": decline_code if decline_code in OWN_CODES else "card_declined",
            "decline_code": decline_code,
            "message": "Your card was declined.",
        }
        declined = self._store.decline(intent, error)
        self._notify(call, declined)
        return StripeError(
            402,
            error["type"],
            error["message"],
            code=error["code"],
            decline_code=decline_code,
            intent=declined,
        ).answer

    def canceled(self, call: Call) -> Answer:
        """Close an intent that has not charged."""
        intent = self.known(call.intent_id)
        if intent.status in {"succeeded", "canceled"}:
            return _unexpected(intent, "cancel").answer
        canceled = self._store.cancel(intent)
        self._notify(call, canceled)
        return Answer(body=intent_shape(canceled))

    def refunded(self, call: Call) -> Answer:
        """Refund at most what is left of the charge."""
        intent_id = call.params.get("payment_intent", "")
        intent = self._store.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, "payment_intent")
        if intent.charge_id is None:
            return invalid("This intent has no charge to refund.", "payment_intent").answer
        left = intent.received_minor - intent.refunded_minor
        if left == 0:
            message = f"Charge {intent.charge_id} has already been refunded."
            return invalid(message, "payment_intent", "charge_already_refunded").answer
        amount = _amount(call.params, "amount") if "amount" in call.params else left
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount ({left})."
            return invalid(message, "amount", "amount_too_large").answer
        metadata = _metadata(call.params)
        course = REFUNDS.get(intent.payment_method or "", call.course)
        course = replace(course, after_ms=call.course.after_ms)
        refund = self._store.refund(call.key, intent, amount, metadata, course)
        return Answer(body=refund_shape(refund))

    def turn(self, due: Sequence[Refund]) -> None:
        """Give refunds that are due their next status, and queue webhooks."""
        for each in due:
            refund = self._store.turn(each)
            kind = "refund.failed" if refund.status == "failed" else "refund.updated"
            event_id = _event_id(f"{refund.id}/{refund.status}")
            shape = event_shape(event_id, kind, refund_shape(refund), self._store.now_ms())
            self._sender.post(event_id, shape)

    def known(self, intent_id: str) -> Intent:
        """Return the intent. Raises StripeError when there is none."""
        intent = self._store.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id)
        return intent

    def _notify(self, call: Call, intent: Intent) -> None:
        event_id = _event_id(f"{call.key}/{intent.id}")
        kind = EVENTS[intent.status]
        shape = event_shape(event_id, kind, intent_shape(intent), self._store.now_ms())
        self._sender.post(event_id, shape)


def _event_id(about: str) -> str:
    return f"evt_{hashlib.sha256(about.encode()).hexdigest()[:24]}"


def _unexpected(intent: Intent, verb: str) -> StripeError:
    return StripeError(
        400,
        "invalid_request_error",
        f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}.",
        code="payment_intent_unexpected_state",
        intent=intent,
    )


def _check_method(method: str | None) -> None:
    if method is not None and not re.fullmatch(r"pm_card_\w{1,100}", method):
        raise invalid("No such PaymentMethod.", "payment_method", "resource_missing")


def _amount(params: Params, name: str) -> int:
    text = params.get(name, "")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= AMOUNT_MINOR_MAX):
        raise invalid(f"Invalid integer: {text[:20]}", name, "parameter_invalid_integer")
    return int(text)


def _metadata(params: Params) -> dict[str, str]:
    found = (
        (re.fullmatch(r"metadata\[([^\]]{1,40})\]", name), text) for name, text in params.items()
    )
    metadata = {match.group(1): text for match, text in found if match}
    if len(metadata) > METADATA_MAX:
        raise invalid(f"At most {METADATA_MAX} keys.", "metadata")
    return metadata
