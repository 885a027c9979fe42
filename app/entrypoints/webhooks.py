"""Webhooks of the external systems, produced as events."""

import structlog

from app.config import Config
from app.entrypoints.requests import (
    BadRequest,
    Emission,
    WebhookRequest,
    converted,
)
from app.wire.envelope import derive_id
from workflows.payment.provider_messages import ProviderNotified
from workflows.payment.topics import provider_webhooks
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.provider_currencies import amount_minor_of
from workflows.shared.provider_metadata import TRANSACTION, owner_of
from workflows.shipping.carrier_messages import CarrierNotified
from workflows.shipping.topics import carrier_webhooks

KINDS = {
    "payment_intent.succeeded": "payment_succeeded",
    "payment_intent.payment_failed": "payment_failed",
    "payment_intent.canceled": "payment_canceled",
    "payment_intent.amount_capturable_updated": "payment_authorized",
    "refund.updated": "refund_changed",
    "refund.failed": "refund_changed",
    "charge.refund.updated": "refund_changed",
    "charge.dispute.created": "dispute_changed",
    "charge.dispute.updated": "dispute_changed",
    "charge.dispute.closed": "dispute_changed",
    "charge.dispute.funds_withdrawn": "dispute_changed",
    "charge.dispute.funds_reinstated": "dispute_changed",
}

log = structlog.get_logger(__name__)


def provider_notified(event: dict[str, object], config: Config) -> Emission | None:
    """Return a webhook of the payment provider; None for what nobody needs.

    Whatever else uses the account sends its webhooks here too. To refuse one would make Stripe try
    it for three days and then disable the endpoint, so what is not ours is acknowledged.
    """
    kind = KINDS.get(str(event.get("type")))
    if kind is None:
        log.info("webhook of no interest", kind=str(event.get("type"))[:100])
        return None
    about = _part(_part(event, "data"), "object")
    order_id = owner_of(about.get("metadata"), config.installation)
    if not order_id:
        log.info("webhook of something that is not ours", kind=kind)
        return None
    is_refund, is_dispute = kind == "refund_changed", kind == "dispute_changed"
    message = converted(
        ProviderNotified,
        order_id=order_id,
        notice_id=event.get("id"),
        kind=kind,
        payment_id=about.get("payment_intent" if is_refund or is_dispute else "id"),
        amount_minor=_amount_minor(about),
        reason=_refusal(about),
        refund_id=about.get("id") if is_refund else "",
        dispute_id=about.get("id") if is_dispute else "",
    )
    return Emission(
        message=message,
        event_id=derive_id("provider", message.notice_id),
        transaction_id=message.transaction_id,
    )


def intent_of_unnamed(event: dict[str, object]) -> str | None:
    """Return the intent of an event that names no order: a dispute, or a refund made by hand."""
    kind = KINDS.get(str(event.get("type")))
    if kind not in ("dispute_changed", "refund_changed"):
        return None
    about = _part(_part(event, "data"), "object")
    metadata = about.get("metadata")
    if kind == "refund_changed" and isinstance(metadata, dict) and TRANSACTION in metadata:
        return None
    return str(about.get("payment_intent") or "")


def carrier_notified(event: dict[str, object], _config: Config) -> Emission:
    """Return a webhook of the carrier."""
    names = ("order_id", "notice_id", "shipment_id", "status")
    message = converted(CarrierNotified, **{name: event.get(name) for name in names})
    return Emission(
        message=message,
        event_id=derive_id("carrier", message.notice_id),
        transaction_id=message.order_id,
    )


def _refusal(about: dict[str, object]) -> str:
    """Return why the card was refused, in the code that the answer to a charge would give too."""
    failure = about.get("last_payment_error")
    if not isinstance(failure, dict):
        return ""
    return str(failure.get("decline_code") or failure.get("code") or "")[:TEXT_CHARS_MAX]


def _amount_minor(about: dict[str, object]) -> object:
    amount, currency = about.get("amount"), str(about.get("currency", "")).upper()
    return amount_minor_of(amount, currency) if isinstance(amount, int) else amount


def _part(value: dict[str, object], name: str) -> dict[str, object]:
    part = value.get(name)
    if not isinstance(part, dict):
        raise BadRequest(f"{name} is not an object", name)
    return part


WEBHOOKS = (
    WebhookRequest(
        path="/webhooks/provider",
        summary="For the payment provider",
        header="Stripe-Signature",
        secret=lambda config: config.provider_webhook_secret,
        emission=provider_notified,
        topic=provider_webhooks,
        intent_of=intent_of_unnamed,
        is_listed=True,
    ),
    WebhookRequest(
        path="/webhooks/carrier",
        summary="For the carrier",
        header="X-Carrier-Signature",
        secret=lambda config: config.carrier_webhook_secret,
        emission=carrier_notified,
        topic=carrier_webhooks,
    ),
)
