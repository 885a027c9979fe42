"""Stock of one SKU.

`warehouse` (key SKU, emitted by the API): what came in and what was counted.
`stock.commands` (key SKU) and `stock.answers` (key order id): inventory asks, line by line.
`stock` (key SKU): facts of the shelf.
"""

from typing import Annotated

from msgspec import Meta

from workflows.shared.limits import Name, NameIfAny, Quantity, Text
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople

OUT_OF_STOCK = "out_of_stock"
TOO_MANY_OPEN_ORDERS = "too_many_open_orders"


class ReceiveStock(Message, tag="payflow.stock.receive.v1", frozen=True, kw_only=True):
    """Items have come in."""

    receipt_id: Name
    sku: Name
    quantity: Quantity
    reference: NamesPeople[NameIfAny] = ""
    """What its client calls it, where ids are per client. Versions before counted it by that."""


class AdjustStock(Message, tag="payflow.stock.adjust.v1", frozen=True, kw_only=True):
    """A count found more or fewer units: write-off, breakage, stock found."""

    adjustment_id: Name
    sku: Name
    delta: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
    reason: Text = ""
    reference: NamesPeople[NameIfAny] = ""
    """As that of a receipt."""


class ReserveStock(Message, tag="payflow.stock.reserve.v1", frozen=True, kw_only=True):
    """Hold units for an order; asked again, the answer is the same."""

    order_id: Name
    sku: Name
    quantity: Quantity


class ReleaseStock(Message, tag="payflow.stock.release.v1", frozen=True, kw_only=True):
    """Free what this order holds of the SKU, and refuse it from now on."""

    order_id: Name
    sku: Name


class ShipStock(Message, tag="payflow.stock.ship.v1", frozen=True, kw_only=True):
    """The units that this order holds have left the warehouse."""

    order_id: Name
    sku: Name


class UnshipStock(Message, tag="payflow.stock.unship.v1", frozen=True, kw_only=True):
    """The shipment was stopped: the units of this order are on hand again."""

    order_id: Name
    sku: Name
    quantity: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """What had left, for a shelf that has shipped too much since to remember it."""


class RestockStock(Message, tag="payflow.stock.restock.v1", frozen=True, kw_only=True):
    """Returned items are on hand again."""

    order_id: Name
    return_id: Name
    sku: Name
    quantity: Quantity


class StockReserved(Message, tag="payflow.stock.reserved.v1", frozen=True, kw_only=True):
    """The units are held."""

    order_id: Name
    sku: Name
    quantity: Quantity


class StockRefused(Message, tag="payflow.stock.refused.v1", frozen=True, kw_only=True):
    """There are not enough units on hand, or the shelf holds units for as many orders as it can."""

    order_id: Name
    sku: Name
    quantity: Quantity
    on_hand: int
    reason: Text = OUT_OF_STOCK


class StockReleased(Message, tag="payflow.stock.released.v1", frozen=True, kw_only=True):
    """Nothing is held for this order any more."""

    order_id: Name
    sku: Name


class StockRestocked(Message, tag="payflow.stock.restocked.v1", frozen=True, kw_only=True):
    """The returned units are on hand."""

    order_id: Name
    return_id: Name
    sku: Name


class StockReceived(Message, tag="payflow.stock.received.v1", frozen=True, kw_only=True):
    """The units are on hand."""

    receipt_id: Name
    sku: Name
    quantity: Quantity


class StockAdjusted(Message, tag="payflow.stock.adjusted.v1", frozen=True, kw_only=True):
    """`delta` is what could be applied: on hand never falls below zero."""

    adjustment_id: Name
    sku: Name
    delta: int
    delta_asked: int


WarehouseMessage = ReceiveStock | AdjustStock
StockCommand = ReserveStock | ReleaseStock | ShipStock | UnshipStock | RestockStock
StockAnswer = StockReserved | StockRefused | StockReleased | StockRestocked
StockFact = StockReceived | StockAdjusted
Counted = ReceiveStock | AdjustStock | RestockStock
"""What counts once, whatever its producer calls the event."""


def count_ids(message: Counted) -> tuple[str, ...]:
    """Return the name under which `message` counts once, and that of versions before, if any.

    Then the names of receipts and counts were not those of a client: a client who repeats one of
    then has it counted once.
    """
    match message:
        case ReceiveStock(reference=reference) if reference:
            return count_id(message), f"receipt/{reference}"
        case AdjustStock(reference=reference) if reference:
            return count_id(message), f"adjustment/{reference}"
        case _:
            return (count_id(message),)


def count_id(message: Counted) -> str:
    """Return the name under which a receipt, a count or a return counts once."""
    match message:
        case ReceiveStock(receipt_id=receipt_id):
            return f"receipt/{receipt_id}"
        case AdjustStock(adjustment_id=adjustment_id):
            return f"adjustment/{adjustment_id}"
        case RestockStock(order_id=order_id, return_id=return_id):
            # Customers choose the ids of their returns: they are unique only within an order.
            return f"return/{order_id}/{return_id}"
