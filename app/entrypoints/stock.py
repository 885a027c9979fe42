"""Stock over HTTP: receipts and adjustments."""

from typing import Annotated

import msgspec
from msgspec import Meta

from app.entrypoints.requests import CommandRequest, Emission
from app.wire.envelope import derive_id
from workflows.inventory.stock_messages import AdjustStock, ReceiveStock
from workflows.shared.limits import LINES_MAX, QUANTITY_MAX, Name, Quantity, Text
from workflows.shared.naming import joined


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one SKU."""

    sku: Name
    quantity: Quantity


class ReceiptAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /stock/receipts`."""

    receipt_id: Annotated[str, Meta(min_length=1, max_length=60)]
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=LINES_MAX)]


class AdjustmentAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /stock/adjustments`."""

    adjustment_id: Name
    sku: Name
    delta: Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
    reason: Text = ""


def received(asked: ReceiptAsked) -> list[Emission]:
    """Return the goods that came in, one message a SKU; the same receipt counts once."""
    return [_receipt(joined(asked.receipt_id, item.sku), item) for item in asked.items]


def _receipt(receipt_id: str, item: Item) -> Emission:
    return Emission(
        message=ReceiveStock(receipt_id=receipt_id, sku=item.sku, quantity=item.quantity),
        event_id=derive_id("receipt", receipt_id),
        transaction_id=receipt_id,
    )


def adjusted(asked: AdjustmentAsked) -> list[Emission]:
    """Return the correction of a count; the same adjustment counts once."""
    message = AdjustStock(
        adjustment_id=asked.adjustment_id, sku=asked.sku, delta=asked.delta, reason=asked.reason
    )
    return [
        Emission(
            message=message,
            event_id=derive_id("adjustment", asked.adjustment_id),
            transaction_id=asked.adjustment_id,
        )
    ]


COMMANDS = (
    CommandRequest(
        path="/stock/receipts",
        scope="stock",
        summary="Receive goods",
        body=ReceiptAsked,
        emissions=received,
        answer=lambda asked: {"receipt_id": asked.receipt_id, "items": len(asked.items)},
    ),
    CommandRequest(
        path="/stock/adjustments",
        scope="stock",
        summary="Correct a count",
        body=AdjustmentAsked,
        emissions=adjusted,
        answer=lambda asked: {"adjustment_id": asked.adjustment_id},
    ),
)
