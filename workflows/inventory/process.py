"""Reserving the items of an order SKU by SKU, and putting them back.

The stock of each SKU, its shelf, is a row of its own (`workflows/inventory/stock.py`). Either all
parts of an order are held, or those that are held get released; a part whose answer comes late is
released then. Where the order allows it, the parts that can be had are enough; the others get what
they are worth by `workflows/order/partial_shipment.py`.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from workflows.fraud.messages import FraudDetected
from workflows.inventory import restock
from workflows.inventory import stock_messages as stock
from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.order.messages import OrderPlaced
from workflows.order.partial_shipment import PricedOrder, partial_shipment, priced_order
from workflows.payment.messages import PaymentFailed
from workflows.shared.limits import QUANTITY_MAX
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated, ShipmentFailed

# --- state ------------------------------------------------------------------

Status = Literal["wanted", "asked", "held", "refused", "full", "shipped", "leaving", "free"]
"""`full`: refused because its shelf holds units for too many orders.
`leaving`: its release is asked for; `free`: the shelf has it back."""


REFUSALS: dict[Status, str] = {
    "refused": stock.OUT_OF_STOCK,
    "full": stock.TOO_MANY_OPEN_ORDERS,
}
"""Why an order with such a part is rejected; the first counts."""


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
    priced: PricedOrder | None = None
    """Of an order that may ship in part, until the verdict."""
    dropped: tuple[str, ...] = ()
    """The SKUs that do not ship although the order does."""
    closed: bool = False
    """Nothing will be shipped: what is held, or has left, goes back."""
    shipped: bool = False
    verdict: Literal["", "reserved", "rejected"] = ""
    released_emitted: bool = msgspec.field(name="released_told", default=False)
    returns: restock.Returns = {}


INITIAL = Inventory()

# --- decide ----------------------------------------------------------------


def pending(state: Inventory) -> tuple[Message, ...]:
    """Return what to ask the shelves, and what to emit of the stock of the order."""
    if not state.order_id:
        return ()
    returned = restock.pending(state.returns, state.order_id)
    return _verdict(state) or (*_moves(state), *_released(state), *returned)


def _verdict(state: Inventory) -> tuple[Message, ...]:
    if state.verdict:
        return ()
    if state.closed:
        return (InventoryRejected(order_id=state.order_id, reason="cancelled"),)
    if state.priced is not None and any(_is_open(part) for part in state.parts.values()):
        return ()
    refused = {sku: part for sku, part in state.parts.items() if part.status in REFUSALS}
    partial = partial_shipment(state.priced, refused) if state.priced and refused else None
    if refused and partial is None:
        return (_rejected(state.order_id, refused),)
    held = [part.quantity for part in state.parts.values() if part.status == "held"]
    if len(held) + len(refused) < len(state.parts):
        return ()
    return (InventoryReserved(order_id=state.order_id, units=sum(held), partial=partial),)


def _is_open(part: Part) -> bool:
    return part.status in ("wanted", "asked")


def _rejected(order_id: str, refused: dict[str, Part]) -> InventoryRejected:
    skus = {
        reason: tuple(sku for sku, part in refused.items() if part.status == status)
        for status, reason in REFUSALS.items()
    }
    first = next(reason for reason in skus if skus[reason])
    return InventoryRejected(order_id=order_id, reason=first, skus=skus[first])


def _moves(state: Inventory) -> tuple[Message, ...]:
    lets_go = state.closed or state.verdict == "rejected"
    order_id = state.order_id
    messages: list[Message] = []
    for sku, part in state.parts.items():
        match part.status:
            case "wanted" if not lets_go:
                messages.append(
                    stock.ReserveStock(order_id=order_id, sku=sku, quantity=part.quantity)
                )
            case "held" if lets_go or sku in state.dropped:
                messages.append(stock.ReleaseStock(order_id=order_id, sku=sku))
            case "shipped" if lets_go:
                messages.append(
                    stock.UnshipStock(order_id=order_id, sku=sku, quantity=part.quantity)
                )
            case "held" if state.shipped:
                messages.append(stock.ShipStock(order_id=order_id, sku=sku))
            case _:
                pass
    return tuple(messages)


def _released(state: Inventory) -> tuple[Message, ...]:
    if state.released_emitted or not state.closed or state.verdict != "reserved":
        return ()
    shipping = [part for sku, part in state.parts.items() if sku not in state.dropped]
    if any(part.status != "free" for part in shipping):
        return ()
    return (InventoryReleased(order_id=state.order_id),)


# --- evolve --------------------------------------------------------------------


def evolve(state: Inventory, message: Message, _at_ms: int) -> Inventory:  # noqa: PLR0911  one match
    """Return `state` after `message`, received or emitted."""
    match message:
        case OrderPlaced():
            return state if state.order_id else _placed(state, message)
        case ShipmentCancelled() | ShipmentFailed() | PaymentFailed() | FraudDetected():
            return replace(state, closed=True)
        case ShipmentCreated():
            return replace(state, shipped=True)
        case InventoryReserved(partial=partial):
            dropped = {line.sku: None for line in partial.unavailable} if partial else {}
            return replace(state, verdict="reserved", priced=None, dropped=tuple(dropped))
        case InventoryRejected():
            return replace(state, verdict="rejected", priced=None)
        case InventoryReleased():
            return replace(state, released_emitted=True)
        case _:
            moved = _moved(state, message)
            return replace(moved, returns=restock.evolve(moved.returns, message))


def _placed(state: Inventory, placed: OrderPlaced) -> Inventory:
    parts = {
        # More than any shelf may be asked for at once: lines of one SKU are summed.
        sku: Part(quantity=units, status="wanted" if units <= QUANTITY_MAX else "refused")
        for sku, units in restock.units_by_sku(placed.lines).items()
    }
    priced = priced_order(placed)
    return replace(state, order_id=placed.order_id, parts=parts, priced=priced)


def _moved(state: Inventory, message: Message) -> Inventory:  # noqa: PLR0911  one match
    match message:
        case stock.ReserveStock(sku=sku):
            return _turn(state, sku, "asked", since=("wanted",))
        case stock.StockReserved(sku=sku):
            return _turn(state, sku, "held", since=("asked", "refused", "full"))
        case stock.StockRefused(sku=sku, reason=reason):
            status: Status = "full" if reason == stock.TOO_MANY_OPEN_ORDERS else "refused"
            return _turn(state, sku, status, since=("asked",))
        case stock.ShipStock(sku=sku):
            return _turn(state, sku, "shipped", since=("held",))
        case stock.ReleaseStock(sku=sku) | stock.UnshipStock(sku=sku):
            return _turn(state, sku, "leaving", since=("held", "shipped"))
        case stock.StockReleased(sku=sku):
            return _turn(state, sku, "free", since=("leaving",))
        case _:
            return state


def _turn(state: Inventory, sku: str, status: Status, *, since: tuple[Status, ...]) -> Inventory:
    part = state.parts.get(sku)
    if part is None or part.status not in since:
        return state
    turned = Part(quantity=part.quantity, status=status)
    return replace(state, parts={**state.parts, sku: turned})
