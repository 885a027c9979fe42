"""Stock over HTTP: receipts and adjustments.

Their names are those of the client that gave them: two clients with one name count twice.
"""

from collections.abc import Sequence
from typing import Annotated, TypedDict

import msgspec
from msgspec import Meta

from app.entrypoints.requests import CommandRequest, Emission, OwnId
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


class ReceiptTaken(TypedDict):
    """The answer to a receipt."""

    receipt_id: str
    items: int
    ids: list[str]


class AdjustmentTaken(TypedDict):
    """The answer to an adjustment."""

    adjustment_id: str
    ids: list[str]


def received(body: ReceiptAsked, own_id: OwnId) -> list[Emission]:
    """Return the items that came in, one message a SKU; the same receipt counts once."""
    receipt_id = own_id("receipt", body.receipt_id)
    return [_receipt(receipt_id, body.receipt_id, item) for item in body.items]


def _receipt(receipt_id: str, name: str, item: Item) -> Emission:
    item_id = joined(receipt_id, item.sku)
    message = ReceiveStock(
        receipt_id=item_id,
        sku=item.sku,
        quantity=item.quantity,
        reference=joined(name, item.sku),
    )
    return Emission(message=message, event_id=derive_id("receipt", item_id), transaction_id=item_id)


def adjusted(body: AdjustmentAsked, own_id: OwnId) -> list[Emission]:
    """Return the correction of a count; the same adjustment counts once."""
    adjustment_id = own_id("adjustment", body.adjustment_id)
    message = AdjustStock(
        adjustment_id=adjustment_id,
        sku=body.sku,
        delta=body.delta,
        reason=body.reason,
        reference=body.adjustment_id,
    )
    return [
        Emission(
            message=message,
            event_id=derive_id("adjustment", adjustment_id),
            transaction_id=adjustment_id,
        )
    ]


def _received(body: ReceiptAsked, emissions: Sequence[Emission]) -> ReceiptTaken:
    ids = [each.transaction_id for each in emissions]
    return {"receipt_id": body.receipt_id, "items": len(body.items), "ids": ids}


def _adjusted(body: AdjustmentAsked, emissions: Sequence[Emission]) -> AdjustmentTaken:
    ids = [each.transaction_id for each in emissions]
    return {"adjustment_id": body.adjustment_id, "ids": ids}


COMMANDS = (
    CommandRequest(
        path="/stock/receipts",
        scope="stock",
        summary="Receive items",
        body=ReceiptAsked,
        emissions=received,
        answer=_received,
        shape=ReceiptTaken,
    ),
    CommandRequest(
        path="/stock/adjustments",
        scope="stock",
        summary="Correct a count",
        body=AdjustmentAsked,
        emissions=adjusted,
        answer=_adjusted,
        shape=AdjustmentTaken,
    ),
)
