"""What the inventory agent receives about an order of two mugs and a tin."""

from typing import Any

from workflows.inventory.stock_messages import (
    StockRefused,
    StockReserved,
    StockRestocked,
)
from workflows.order.messages import Line, OrderPlaced, ReturnLine
from workflows.order.saga_messages import ReturnAccepted
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated


def placed(*lines: tuple[str, int]) -> OrderPlaced:
    """Return an order of `lines`: (sku, quantity)."""
    return OrderPlaced(
        order_id="o1",
        country="France",
        currency="GBP",
        lines=tuple(Line(sku=sku, quantity=units, amount_minor=1) for sku, units in lines),
        total_minor=100,
        payment_method="pm_card_visa",
        ordered_at_ms=5,
    )


def back(return_id: str, *lines: ReturnLine) -> ReturnAccepted:
    """Return an accepted return of `lines`."""
    return ReturnAccepted(
        order_id="o1", return_id=return_id, lines=lines, amount_minor=1, currency="GBP"
    )


def line(sku: str, quantity: int, *, is_item: bool = True) -> ReturnLine:
    """Return one line of a return."""
    return ReturnLine(sku=sku, quantity=quantity, amount_minor=1, goods=is_item)


def reserved(sku: str, quantity: int) -> StockReserved:
    """Return the shelf's yes."""
    return StockReserved(order_id="o1", sku=sku, quantity=quantity)


def refused(sku: str) -> StockRefused:
    """Return the shelf's no."""
    return StockRefused(order_id="o1", sku=sku, quantity=1, on_hand=0)


def at(message: Any, sku: str) -> Message:
    """Return `message` about `sku`."""
    return message(order_id="o1", sku=sku)


PLACED = placed(("mug", 2), ("tin", 1))
MUG, TIN = reserved("mug", 2), reserved("tin", 1)
CANCELLED = ShipmentCancelled(order_id="o1", cause="overdue")
CREATED = ShipmentCreated(order_id="o1", shipment_id="s1")
RESTOCKED_MUG = StockRestocked(order_id="o1", return_id="r1", sku="mug")
RETURN = back("r1", line("mug", 1), line("POST", 1, is_item=False), line("mug", 1))
