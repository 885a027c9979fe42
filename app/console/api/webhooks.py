"""Call-backs of the external systems: signed, emitted as events, never trusted further."""

import time
from typing import Any

import msgspec
import structlog
from aiohttp import web

from app.console.api.context import CONTEXT
from app.console.api.problems import Problem, json_response
from app.gateways.signature import BadSignature, verify
from app.wire.envelope import derive_id
from workflows.payment.provider_messages import ProviderNotified
from workflows.shipping.carrier_messages import CarrierNotified

KINDS = {
    "payment_intent.succeeded": "payment_succeeded",
    "payment_intent.payment_failed": "payment_failed",
    "payment_intent.canceled": "payment_canceled",
}

log = structlog.get_logger(__name__)


async def provider(request: web.Request) -> web.Response:
    """Take a webhook of the payment provider; a kind nobody needs is acknowledged and left."""
    secret = request.app[CONTEXT].config.provider_webhook_secret
    event = await _signed(request, "Stripe-Signature", secret)
    kind = KINDS.get(str(event.get("type")))
    if kind is None:
        log.info("webhook of no interest", kind=str(event.get("type"))[:100])
        return json_response({"received": True})
    intent = _part(_part(event, "data"), "object")
    message = _message(
        ProviderNotified,
        order_id=_part(intent, "metadata").get("order_id"),
        notice_id=event.get("id"),
        kind=kind,
        payment_id=intent.get("id"),
        amount_minor=intent.get("amount"),
        reason=_refusal(intent),
    )
    event_id = derive_id("provider", message.notice_id)
    await request.app[CONTEXT].publish(request, message, event_id, message.transaction_id)
    return json_response({"received": True})


async def carrier(request: web.Request) -> web.Response:
    """Take a webhook of the carrier."""
    secret = request.app[CONTEXT].config.carrier_webhook_secret
    event = await _signed(request, "X-Carrier-Signature", secret)
    names = ("order_id", "notice_id", "shipment_id", "status")
    message = _message(CarrierNotified, **{name: event.get(name) for name in names})
    event_id = derive_id("carrier", message.notice_id)
    await request.app[CONTEXT].publish(request, message, event_id, message.order_id)
    return json_response({"received": True})


async def _signed(request: web.Request, header: str, secret: str) -> dict[str, Any]:
    body = await request.read()
    try:
        verify(request.headers.get(header, ""), body, secret, time.time())
        return msgspec.json.decode(body, type=dict[str, Any])
    except BadSignature as error:
        raise Problem(400, "Bad Request", str(error), field=header) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "Bad Request", f"the body is no JSON object: {error}") from error


def _refusal(intent: dict[str, Any]) -> str:
    """Return why the card was refused, in the code that the answer to a charge would give too."""
    failure = intent.get("last_payment_error")
    if not isinstance(failure, dict):
        return ""
    return str(failure.get("decline_code") or failure.get("code") or "")[:500]


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    part = value.get(name)
    if not isinstance(part, dict):
        raise Problem(400, "Bad Request", f"{name} is no object", field=name)
    return part


def _message(shape: Any, **fields: Any) -> Any:
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$.")
        raise Problem(400, "Bad Request", detail, field=path.rstrip("`")) from error
