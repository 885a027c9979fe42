"""Items of a return on their way back to their shelves.

Part of the inventory workflow.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from workflows.inventory.messages import InventoryReturned
from workflows.inventory.stock_messages import RestockStock, StockRestocked
from workflows.order.messages import Line, ReturnLine
from workflows.order.saga_messages import ReturnAccepted
from workflows.shared.message import Message

# --- state ------------------------------------------------------------------


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """One return: the units that no shelf has confirmed yet, by SKU."""

    pending_steps: dict[str, int] = msgspec.field(name="awaited")
    asked: bool = False
    emitted: bool = msgspec.field(name="told", default=False)


Returns = dict[str, Return]
"""By return id."""

# --- decide ----------------------------------------------------------------


def pending(returns: Returns, order_id: str) -> tuple[Message, ...]:
    """Return what to ask the shelves, and which returns are back on them."""
    messages: list[Message] = []
    for return_id, back in returns.items():
        if not back.asked:
            messages += (
                RestockStock(order_id=order_id, return_id=return_id, sku=sku, quantity=quantity)
                for sku, quantity in back.pending_steps.items()
            )
        if not back.pending_steps and not back.emitted:
            messages.append(InventoryReturned(order_id=order_id, return_id=return_id))
    return tuple(messages)


def units_by_sku(lines: Iterable[Line | ReturnLine]) -> dict[str, int]:
    """Return the units of each SKU, lines of the same SKU summed."""
    units: dict[str, int] = {}
    for line in lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    return units


# --- evolve --------------------------------------------------------------------


def evolve(returns: Returns, message: Message) -> Returns:
    """Return `returns` after `message`, received or emitted."""
    match message:
        case ReturnAccepted(return_id=return_id) if return_id not in returns:
            units = units_by_sku(line for line in message.lines if line.goods)
            return {**returns, return_id: Return(pending_steps=units)}
        case RestockStock(return_id=return_id) if return_id in returns:
            return {**returns, return_id: replace(returns[return_id], asked=True)}
        case StockRestocked(return_id=return_id, sku=sku) if return_id in returns:
            back = returns[return_id]
            left = {other: units for other, units in back.pending_steps.items() if other != sku}
            return {**returns, return_id: replace(back, pending_steps=left)}
        case InventoryReturned(return_id=return_id) if return_id in returns:
            return {**returns, return_id: replace(returns[return_id], emitted=True)}
        case _:
            return returns
