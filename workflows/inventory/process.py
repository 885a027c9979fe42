"""Gathering the goods of an order from many shelves, and putting them back.

Each SKU has a shelf of its own (`workflows/inventory/stock.py`). All parts are held, or what was
held is let go; a part that is answered late is let go when the answer comes.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.messages import FraudDetected
from workflows.inventory import restock
from workflows.inventory import stock_messages as stock
from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.order.messages import OrderPlaced
from workflows.payment.messages import PaymentFailed
from workflows.shared.limits import QUANTITY_MAX
from workflows.shared.message import Message
from workflows.shared.pending import settle
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated, ShipmentFailed

# --- memory ------------------------------------------------------------------

Status = Literal["wanted", "asked", "held", "refused", "shipped", "leaving", "free"]
"""`leaving`: its release is asked for; `free`: the shelf has it back."""


class Part(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The units of one SKU in this order. An array on disk: the largest order has 593 of them."""

    quantity: int
    status: Status = "wanted"


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What the stock of one order remembers."""

    order_id: str = ""
    """Empty until the order is placed."""
    parts: dict[str, Part] = {}
    """By SKU: lines of the same SKU are one part."""
    closed: bool = False
    """Nothing will be shipped: what is held, or has left, goes back."""
    shipped: bool = False
    verdict: Literal["", "reserved", "rejected"] = ""
    released_told: bool = False
    returns: restock.Returns = {}


INITIAL = Inventory()

# --- judgment ----------------------------------------------------------------


def decide(memory: Inventory, heard: Message, at_ms: int) -> tuple[Message, ...]:
    """Return what to ask the shelves and tell after `heard`; heard again, it owes nothing more."""
    return settle(heard, memory, at_ms, evolve=evolve, owed=_owed)


def _owed(memory: Inventory) -> tuple[Message, ...]:
    if not memory.order_id:
        return ()
    returned = restock.owed(memory.returns, memory.order_id)
    return _verdict(memory) or (*_moves(memory), *_released(memory), *returned)


def _verdict(memory: Inventory) -> tuple[Message, ...]:
    if memory.verdict:
        return ()
    if memory.closed:
        return (InventoryRejected(order_id=memory.order_id, reason="cancelled"),)
    refused = tuple(sku for sku, part in memory.parts.items() if part.status == "refused")
    if refused:
        return (InventoryRejected(order_id=memory.order_id, reason="out_of_stock", skus=refused),)
    if all(part.status == "held" for part in memory.parts.values()):
        units = sum(part.quantity for part in memory.parts.values())
        return (InventoryReserved(order_id=memory.order_id, units=units),)
    return ()


def _moves(memory: Inventory) -> tuple[Message, ...]:
    lets_go = memory.closed or memory.verdict == "rejected"
    order_id = memory.order_id
    words: list[Message] = []
    for sku, part in memory.parts.items():
        match part.status:
            case "wanted" if not lets_go:
                words.append(stock.ReserveStock(order_id=order_id, sku=sku, quantity=part.quantity))
            case "held" if lets_go:
                words.append(stock.ReleaseStock(order_id=order_id, sku=sku))
            case "shipped" if lets_go:
                words.append(stock.UnshipStock(order_id=order_id, sku=sku, quantity=part.quantity))
            case "held" if memory.shipped:
                words.append(stock.ShipStock(order_id=order_id, sku=sku))
            case _:
                pass
    return tuple(words)


def _released(memory: Inventory) -> tuple[Message, ...]:
    if memory.released_told or not memory.closed or memory.verdict != "reserved":
        return ()
    if any(part.status != "free" for part in memory.parts.values()):
        return ()
    return (InventoryReleased(order_id=memory.order_id),)


# --- fold --------------------------------------------------------------------


def evolve(memory: Inventory, word: Message, _at_ms: int) -> Inventory:  # noqa: PLR0911  one match
    """Return `memory` after `word`, heard or told."""
    match word:
        case OrderPlaced():
            return memory if memory.order_id else _placed(memory, word)
        case ShipmentCancelled() | ShipmentFailed() | PaymentFailed() | FraudDetected():
            return replace(memory, closed=True)
        case ShipmentCreated():
            return replace(memory, shipped=True)
        case InventoryReserved():
            return replace(memory, verdict="reserved")
        case InventoryRejected():
            return replace(memory, verdict="rejected")
        case InventoryReleased():
            return replace(memory, released_told=True)
        case _:
            moved = _moved(memory, word)
            return replace(moved, returns=restock.evolve(moved.returns, word))


def _placed(memory: Inventory, placed: OrderPlaced) -> Inventory:
    parts = {
        # More than any shelf may be asked for at once: lines of one SKU are summed.
        sku: Part(quantity=units, status="wanted" if units <= QUANTITY_MAX else "refused")
        for sku, units in restock.units_by_sku(placed.lines).items()
    }
    return replace(memory, order_id=placed.order_id, parts=parts)


def _moved(memory: Inventory, word: Message) -> Inventory:  # noqa: PLR0911  one match
    match word:
        case stock.ReserveStock(sku=sku):
            return _turn(memory, sku, "asked", since=("wanted",))
        case stock.StockReserved(sku=sku):
            return _turn(memory, sku, "held", since=("asked", "refused"))
        case stock.StockRefused(sku=sku):
            return _turn(memory, sku, "refused", since=("asked",))
        case stock.ShipStock(sku=sku):
            return _turn(memory, sku, "shipped", since=("held",))
        case stock.ReleaseStock(sku=sku) | stock.UnshipStock(sku=sku):
            return _turn(memory, sku, "leaving", since=("held", "shipped"))
        case stock.StockReleased(sku=sku):
            return _turn(memory, sku, "free", since=("leaving",))
        case _:
            return memory


def _turn(memory: Inventory, sku: str, status: Status, *, since: tuple[Status, ...]) -> Inventory:
    part = memory.parts.get(sku)
    if part is None or part.status not in since:
        return memory
    turned = Part(quantity=part.quantity, status=status)
    return replace(memory, parts={**memory.parts, sku: turned})
