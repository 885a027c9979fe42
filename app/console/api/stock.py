"""Stock over HTTP: what came in, and what was counted."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from app.console.api.context import CONTEXT
from app.console.api.problems import json_response, read_body
from app.wire.envelope import derive_id
from workflows.inventory.stock_messages import AdjustStock, ReceiveStock
from workflows.shared.limits import Name, Quantity, Text
from workflows.shared.naming import joined


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one SKU."""

    sku: Name
    quantity: Quantity


class ReceiptAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /stock/receipts`."""

    receipt_id: Annotated[str, Meta(min_length=1, max_length=60)]
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=1_000)]


class AdjustmentAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /stock/adjustments`."""

    adjustment_id: Name
    sku: Name
    delta: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
    reason: Text = ""


async def receive(request: web.Request) -> web.Response:
    """Receive goods; the same receipt counts once."""
    asked = await read_body(request, ReceiptAsked)
    for item in asked.items:
        receipt_id = joined(asked.receipt_id, item.sku)
        message = ReceiveStock(receipt_id=receipt_id, sku=item.sku, quantity=item.quantity)
        await request.app[CONTEXT].publish(
            request, message, derive_id("receipt", receipt_id), receipt_id
        )
    return json_response({"receipt_id": asked.receipt_id, "items": len(asked.items)}, 202)


async def adjust(request: web.Request) -> web.Response:
    """Correct a count; the same adjustment counts once."""
    asked = await read_body(request, AdjustmentAsked)
    message = AdjustStock(
        adjustment_id=asked.adjustment_id, sku=asked.sku, delta=asked.delta, reason=asked.reason
    )
    event_id = derive_id("adjustment", asked.adjustment_id)
    await request.app[CONTEXT].publish(request, message, event_id, asked.adjustment_id)
    return json_response({"adjustment_id": asked.adjustment_id}, 202)
