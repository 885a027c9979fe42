"""The effects of requests on payment intents. Each runs in a transaction of its caller.

A returned answer is stored under the request's key, errors too; a raised error occurred before any
effect, and is not stored.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence

from app.local.simulators import intent_states as states
from app.local.simulators import provider_params as fields
from app.local.simulators.intent_states import Attempt, Step
from app.local.simulators.notices import Notices
from app.local.simulators.provider_cards import card_of, decline_error
from app.local.simulators.provider_params import Call
from app.local.simulators.provider_records import Intent
from app.local.simulators.provider_shapes import (
    Answer,
    StripeError,
    intent_shape,
    invalid,
    missing,
)
from app.local.simulators.provider_store import ProviderStore

EVENTS = {
    "requires_action": "payment_intent.requires_action",
    "processing": "payment_intent.processing",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "succeeded": "payment_intent.succeeded",
    "requires_payment_method": "payment_intent.payment_failed",
    "canceled": "payment_intent.canceled",
}
"""docs.stripe.com/api/events/types"""
PAGE = "/redirect/authenticate"
"""Where the customer confirms."""
CARD_OPTION = "payment_method_options[card][request_three_d_secure]"


class Effects:
    """Create, confirm, authenticate, capture and cancel intents."""

    def __init__(
        self,
        store: ProviderStore,
        notices: Notices,
        charged: Callable[[Intent], None],
        secret: str,
    ) -> None:
        self._store = store
        self._notices = notices
        self._charged = charged
        self._secret = secret

    def created(self, call: Call) -> Answer:
        """Enter a new intent; confirm it at once when asked to."""
        currency = fields.currency(call.params)
        method = fields.payment_method(call.params)
        confirms = call.params.get("confirm") == "true"
        if confirms and method is None:
            raise invalid("A payment method is needed to confirm.", "payment_method")
        fields.return_url(call.params)
        intent = self._store.create_intent(
            call.key,
            fields.charge_amount(call.params, "amount", currency),
            currency,
            method,
            fields.metadata(call.params),
            fields.capture_method(call.params),
        )
        self._notices.emit("payment_intent.created", call.key, intent_shape(intent))
        if confirms and method:
            return self._attempt(call, intent, method)
        return Answer(body=intent_shape(intent))

    def confirmed(self, call: Call) -> Answer:
        """Charge, decline, or ask the customer to confirm; a closed intent stays as it is."""
        intent = self.intent(call.object_id)
        method = fields.payment_method(call.params) or intent.payment_method
        fields.return_url(call.params)
        if intent.status not in states.CONFIRMABLE:
            return _unexpected(intent, "confirm").answer
        if method is None:
            raise invalid("A payment method is needed to confirm.", "payment_method")
        return self._attempt(call, intent, method)

    def _attempt(self, call: Call, intent: Intent, method: str) -> Answer:
        secret = self._action_secret(f"{intent.id}/{call.key}")
        now = Attempt(
            payment_method=method,
            now_ms=self._store.now_ms(),
            action_url=f"{call.origin}{PAGE}/{intent.id}?client_secret={secret}",
            return_url=fields.return_url(call.params),
            off_session=call.params.get("off_session") == "true",
            wants_action=call.params.get(CARD_OPTION) in {"any", "challenge"},
            decline="generic_decline" if call.decline else "",
            short_minor=int(call.short),
            processing_ms=call.processing_ms,
        )
        return self._answer(call, states.attempt(intent, now))

    def _answer(self, call: Call, step: Step) -> Answer:
        """Write an intent after a change, queue its webhook, and answer with it."""
        intent = self._apply(step, call.key)
        if step.error is None:
            return Answer(body=intent_shape(intent, call.params))
        return _declined(step.error, intent).answer

    def _apply(self, step: Step, cause: str) -> Intent:
        intent = self._store.apply(step)
        if step.taken_minor:
            self._charged(intent)
        self._notices.emit(EVENTS[intent.status], f"{cause}/{intent.id}", intent_shape(intent))
        return intent

    def canceled(self, call: Call) -> Answer:
        """Close an intent that has not charged; what was authorized is released."""
        intent = self.intent(call.object_id)
        reason = fields.cancellation_reason(call.params)
        if intent.status not in states.CANCELABLE:
            return _unexpected(intent, "cancel").answer
        return self._answer(call, states.cancel(intent, reason, self._store.now_ms()))

    def captured(self, call: Call) -> Answer:
        """Take what was authorized, or once a part: docs.stripe.com/api/payment_intents/capture."""
        intent = self.intent(call.object_id)
        if intent.status != "requires_capture":
            return _unexpected(intent, "capture").answer
        amount, name = intent.authorized_minor, "amount_to_capture"
        if name in call.params:
            amount = fields.charge_amount(call.params, name, intent.currency)
        if amount > intent.authorized_minor:
            message = f"The amount to capture is larger than {intent.authorized_minor}."
            return invalid(message, name, "amount_too_large").answer
        trouble = card_of(intent.payment_method).capture or call.capture
        if trouble == "declined":
            # The hold stays (ours): Stripe names no state after a capture that a bank refuses.
            return _declined(decline_error("generic_decline"), intent).answer
        if trouble == "expired":
            ended = states.cancel(intent, "automatic", self._store.now_ms())
            return _expired(self._apply(ended, call.key)).answer
        return self._answer(call, states.take(intent, amount - int(call.short)))

    def authenticated(self, intent: Intent, *, passed: bool) -> Intent:
        """Go on after the customer has answered on the page."""
        step = states.authenticate(intent, passed=passed, now_ms=self._store.now_ms())
        return self._apply(step, f"{intent.action_url}")

    def turn(self, due: Sequence[Intent]) -> None:
        """Give intents that are due their next status, and queue webhooks."""
        for each in due:
            self._apply(states.fall_due(each, self._store.now_ms()), f"{each.due_ms}")

    def intent(self, intent_id: str) -> Intent:
        """Return the intent. Raises StripeError when there is none."""
        intent = self._store.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id)
        return intent

    def _action_secret(self, about: str) -> str:
        """Return a secret that only the page's link and its form contain: a try of its own each."""
        return hmac.digest(self._secret.encode(), about.encode(), hashlib.sha256).hex()[:40]


def _declined(error: Mapping[str, str], intent: Intent) -> StripeError:
    return StripeError(
        402,
        error["type"],
        error["message"],
        code=error["code"],
        decline_code=error["decline_code"],
        intent=intent,
    )


def _expired(intent: Intent) -> StripeError:
    """Return the refusal of a hold that has ended: docs.stripe.com/error-codes."""
    return StripeError(
        400,
        "invalid_request_error",
        "The charge cannot be captured as the authorization has expired.",
        code="charge_expired_for_capture",
        intent=intent,
    )


def _unexpected(intent: Intent, verb: str) -> StripeError:
    return StripeError(
        400,
        "invalid_request_error",
        f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}.",
        code="payment_intent_unexpected_state",
        intent=intent,
    )
