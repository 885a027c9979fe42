"""Goods of a return on their way back to their shelves.

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

# --- memory ------------------------------------------------------------------


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """One return: the units that no shelf has confirmed yet, by SKU."""

    awaited: dict[str, int]
    asked: bool = False
    told: bool = False


Returns = dict[str, Return]
"""By return id."""

# --- judgment ----------------------------------------------------------------


def owed(returns: Returns, order_id: str) -> tuple[Message, ...]:
    """Return what to ask the shelves, and which returns are back on them."""
    words: list[Message] = []
    for return_id, back in returns.items():
        if not back.asked:
            words += (
                RestockStock(order_id=order_id, return_id=return_id, sku=sku, quantity=quantity)
                for sku, quantity in back.awaited.items()
            )
        if not back.awaited and not back.told:
            words.append(InventoryReturned(order_id=order_id, return_id=return_id))
    return tuple(words)


def units_by_sku(lines: Iterable[Line | ReturnLine]) -> dict[str, int]:
    """Return the units of each SKU, lines of the same SKU summed."""
    units: dict[str, int] = {}
    for line in lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    return units


# --- fold --------------------------------------------------------------------


def evolve(returns: Returns, word: Message) -> Returns:
    """Return `returns` after `word`, heard or told."""
    match word:
        case ReturnAccepted(return_id=return_id) if return_id not in returns:
            goods = units_by_sku(line for line in word.lines if line.goods)
            return {**returns, return_id: Return(awaited=goods)}
        case RestockStock(return_id=return_id) if return_id in returns:
            return {**returns, return_id: replace(returns[return_id], asked=True)}
        case StockRestocked(return_id=return_id, sku=sku) if return_id in returns:
            back = returns[return_id]
            left = {other: units for other, units in back.awaited.items() if other != sku}
            return {**returns, return_id: replace(back, awaited=left)}
        case InventoryReturned(return_id=return_id) if return_id in returns:
            return {**returns, return_id: replace(returns[return_id], told=True)}
        case _:
            return returns
