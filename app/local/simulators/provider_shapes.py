"""Answers of the provider in Stripe's shapes: intents, refunds, lists, events and errors."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
from aiohttp import web

from app.local.simulators.provider_records import FAILURE, Intent, Refund
from app.local.simulators.sqlite_file import derived_id

API_VERSION = "2026-10-28.endive"
NOTHING: Mapping[str, str] = MappingProxyType({})


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    body: object
    replayed: bool = False

    def encoded(self) -> bytes:
        """Return the body as JSON."""
        return msgspec.json.encode(self.body)


class StripeError(Exception):
    """An error answer: `type`, `code`, `param` and the intent concerned, as Stripe gives them."""

    def __init__(  # noqa: PLR0913  an error has these fields
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str = "",
        param: str = "",
        decline_code: str = "",
        intent: Intent | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        fields = {
            "type": kind,
            "message": message,
            "code": code,
            "param": param,
            "decline_code": decline_code,
            "payment_intent": intent_shape(intent) if intent else None,
        }
        self.error = {name: value for name, value in fields.items() if value}

    @property
    def answer(self) -> Answer:
        """Return it as an answer."""
        return Answer(status=self.status, body={"error": self.error})


def invalid(message: str, param: str, code: str = "parameter_invalid") -> StripeError:
    """Return the error for a parameter that is of no use."""
    return StripeError(400, "invalid_request_error", message, code=code, param=param)


def missing(what: str, name: str, param: str = "intent") -> StripeError:
    """Return the error for an object that does not exist."""
    message = f"No such {what}: '{name}'"
    return StripeError(404, "invalid_request_error", message, code="resource_missing", param=param)


def intent_shape(intent: Intent, params: Mapping[str, str] = NOTHING) -> dict[str, object]:
    """Return an intent as Stripe shows it: docs.stripe.com/api/payment_intents/object."""
    holds = intent.status == "requires_capture"
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount_minor,
        "amount_capturable": intent.authorized_minor if holds else 0,
        "amount_received": intent.received_minor,
        "canceled_at": intent.canceled_ms // 1_000 if intent.canceled_ms else None,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": f"{intent.id}_secret",
        "confirmation_method": "automatic",
        "created": intent.created_ms // 1_000,
        "currency": intent.currency,
        "last_payment_error": intent.last_error,
        "latest_charge": _latest_charge(intent, params),
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": _next_action(intent),
        "payment_method": intent.payment_method,
        "payment_method_types": ["card"],
        "status": intent.status,
    }


def _next_action(intent: Intent) -> dict[str, object] | None:
    """Return what the customer has to do; without a `return_url` it is the SDK of the browser's."""
    if intent.status != "requires_action":
        return None
    if intent.return_url is None:
        page = {"type": "three_d_secure_redirect", "stripe_js": intent.action_url}
        return {"type": "use_stripe_sdk", "use_stripe_sdk": page}
    page = {"return_url": intent.return_url, "url": intent.action_url}
    return {"type": "redirect_to_url", "redirect_to_url": page}


def _latest_charge(intent: Intent, params: Mapping[str, str]) -> object:
    """Return its id, or all of it when asked for: docs.stripe.com/api/expanding_objects."""
    is_expanded = any(
        text == "latest_charge" for name, text in params.items() if name.startswith("expand[")
    )
    return charge_shape(intent) if is_expanded and intent.charge_id else intent.charge_id


def charge_shape(intent: Intent) -> dict[str, object]:
    """Return the charge of an intent: docs.stripe.com/api/charges/object.

    What an authorization held and was not captured counts as refunded there.
    """
    amount = intent.authorized_minor or intent.received_minor
    released = amount - intent.received_minor if intent.status != "requires_capture" else 0
    refunded = intent.refunded_minor + released
    before_ms = intent.capture_before_ms
    return {
        "id": intent.charge_id,
        "object": "charge",
        "amount": amount,
        "amount_captured": intent.received_minor,
        "amount_refunded": refunded,
        "balance_transaction": (
            derived_id("txn", f"{intent.charge_id}/charge") if intent.received_minor else None
        ),
        "captured": intent.received_minor > 0,
        "created": (intent.authorized_ms or intent.charged_ms or 0) // 1_000,
        "currency": intent.currency,
        "disputed": intent.disputed,
        "livemode": False,
        "metadata": intent.metadata,
        "paid": True,
        "payment_intent": intent.id,
        "payment_method": intent.payment_method,
        "payment_method_details": {
            "type": "card",
            "card": {"capture_before": before_ms // 1_000 if before_ms else None},
        },
        "refunded": refunded == amount,
        "status": "succeeded",
    }


def refund_shape(refund: Refund) -> dict[str, object]:
    """Return a refund as Stripe shows it: docs.stripe.com/api/refunds/object."""
    returned = refund.status in {"failed", "canceled"}
    waits = {"type": "display_details", "display_details": {"expires_at": None}}
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount_minor,
        "balance_transaction": derived_id("txn", f"{refund.id}/refund"),
        "charge": refund.charge_id,
        "created": refund.created_ms // 1_000,
        "currency": refund.currency,
        "metadata": refund.metadata,
        "payment_intent": refund.intent_id,
        "status": refund.status,
        **({"failure_reason": FAILURE} if refund.status == "failed" else {}),
        **(
            {"failure_balance_transaction": derived_id("txn", f"{refund.id}/refund_failure")}
            if returned
            else {}
        ),
        **({"next_action": waits} if refund.status == "requires_action" else {}),
    }


def page(
    url: str,
    members: Sequence[object],
    *,
    limit: int | None = None,
    has_more: bool = False,
    kind: str = "list",
) -> dict[str, object]:
    """Return one page: all of `members`, or at most `limit` of them when they hold one more."""
    if limit is not None:
        members, has_more = members[:limit], len(members) > limit
    return {"object": kind, "url": url, "has_more": has_more, "data": members}


def response(answer: Answer) -> web.Response:
    """Return an answer as HTTP carries it."""
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return web.Response(
        status=answer.status,
        body=answer.encoded(),
        headers=headers,
        content_type="application/json",
    )


def event_shape(
    event_id: str, kind: str, about: dict[str, object], created_ms: int
) -> dict[str, object]:
    """Return the webhook event `kind` about the intent or refund `about`."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created_ms // 1_000,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "type": kind,
    }
