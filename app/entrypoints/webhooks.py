"""Webhooks of the external systems, produced as events."""

import structlog

from app.entrypoints.requests import BadRequest, Emission, WebhookRequest, converted
from app.wire.envelope import derive_id
from workflows.payment.provider_messages import ProviderNotified
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shipping.carrier_messages import CarrierNotified

KINDS = {
    "payment_intent.succeeded": "payment_succeeded",
    "payment_intent.payment_failed": "payment_failed",
    "payment_intent.canceled": "payment_canceled",
}

log = structlog.get_logger(__name__)


def provider_notified(event: dict[str, object]) -> Emission | None:
    """Return a webhook of the payment provider; None for a kind that nobody needs."""
    kind = KINDS.get(str(event.get("type")))
    if kind is None:
        log.info("webhook of no interest", kind=str(event.get("type"))[:100])
        return None
    intent = _part(_part(event, "data"), "object")
    message = converted(
        ProviderNotified,
        order_id=_part(intent, "metadata").get("order_id"),
        notice_id=event.get("id"),
        kind=kind,
        payment_id=intent.get("id"),
        amount_minor=intent.get("amount"),
        reason=_refusal(intent),
    )
    return Emission(
        message=message,
        event_id=derive_id("provider", message.notice_id),
        transaction_id=message.transaction_id,
    )


def carrier_notified(event: dict[str, object]) -> Emission:
    """Return a webhook of the carrier."""
    names = ("order_id", "notice_id", "shipment_id", "status")
    message = converted(CarrierNotified, **{name: event.get(name) for name in names})
    return Emission(
        message=message,
        event_id=derive_id("carrier", message.notice_id),
        transaction_id=message.order_id,
    )


def _refusal(intent: dict[str, object]) -> str:
    """Return why the card was refused, in the code that the answer to a charge would give too."""
    failure = intent.get("last_payment_error")
    if not isinstance(failure, dict):
        return ""
    return str(failure.get("decline_code") or failure.get("code") or "")[:TEXT_CHARS_MAX]


def _part(value: dict[str, object], name: str) -> dict[str, object]:
    part = value.get(name)
    if not isinstance(part, dict):
        raise BadRequest(f"{name} is no object", name)
    return part


WEBHOOKS = (
    WebhookRequest(
        path="/webhooks/provider",
        summary="For the payment provider",
        header="Stripe-Signature",
        secret=lambda config: config.provider_webhook_secret,
        emission=provider_notified,
    ),
    WebhookRequest(
        path="/webhooks/carrier",
        summary="For the carrier",
        header="X-Carrier-Signature",
        secret=lambda config: config.carrier_webhook_secret,
        emission=carrier_notified,
    ),
)
