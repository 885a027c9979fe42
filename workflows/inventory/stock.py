"""One shelf: the units of one SKU, who holds them, what has left.

At every step on hand + held + shipped = received, where received counts adjustments too. A command
says what happens, so the row moves with the command; the answer only reports it.
"""

import msgspec
from msgspec.structs import replace

from workflows.inventory import stock_messages as stock
from workflows.shared.message import Message

REMEMBERED_MAX = 256
"""How many orders and how many receipts and returns a shelf remembers after they are over."""

# --- memory ------------------------------------------------------------------


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """What one SKU remembers, in units."""

    received: int = 0
    on_hand: int = 0
    held: dict[str, int] = {}
    """By order id."""
    shipped: int = 0
    """What has left and has not come back."""
    sent: dict[str, int] = {}
    """What left for each of the latest orders."""
    closed: tuple[str, ...] = ()
    """The latest orders that were let go or refused: they get nothing any more."""
    counted: tuple[str, ...] = ()
    """The latest receipts, adjustments and returns: each counts once."""


INITIAL = Stock()

# --- judgment ----------------------------------------------------------------


def decide(memory: Stock, heard: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the answer to `heard`; a receipt or a count that is known is told no more."""
    match heard:
        case stock.ReserveStock(order_id=order_id, sku=sku):
            return (_reservation(memory, heard),)
        case (
            stock.ReleaseStock(order_id=order_id, sku=sku)
            | stock.UnshipStock(order_id=order_id, sku=sku)
        ):
            return (stock.StockReleased(order_id=order_id, sku=sku),)
        case stock.RestockStock(order_id=order_id, return_id=return_id, sku=sku):
            return (stock.StockRestocked(order_id=order_id, return_id=return_id, sku=sku),)
        case stock.ReceiveStock() if _count_id(heard) not in memory.counted:
            return (
                stock.StockReceived(
                    receipt_id=heard.receipt_id, sku=heard.sku, quantity=heard.quantity
                ),
            )
        case stock.AdjustStock() if _count_id(heard) not in memory.counted:
            return (
                stock.StockAdjusted(
                    adjustment_id=heard.adjustment_id,
                    sku=heard.sku,
                    delta=_applied(memory, heard),
                    delta_asked=heard.delta,
                ),
            )
        case _:
            return ()


def _reservation(memory: Stock, asked: stock.ReserveStock) -> Message:
    order_id, sku = asked.order_id, asked.sku
    has = memory.held.get(order_id) or memory.sent.get(order_id)
    if has or _grants(memory, asked):
        return stock.StockReserved(order_id=order_id, sku=sku, quantity=has or asked.quantity)
    return stock.StockRefused(
        order_id=order_id, sku=sku, quantity=asked.quantity, on_hand=memory.on_hand
    )


def _grants(memory: Stock, asked: stock.ReserveStock) -> bool:
    known = asked.order_id in memory.closed or asked.order_id in memory.held
    return not known and asked.order_id not in memory.sent and asked.quantity <= memory.on_hand


def _applied(memory: Stock, asked: stock.AdjustStock) -> int:
    return max(asked.delta, -memory.on_hand)


def _count_id(word: stock.ReceiveStock | stock.AdjustStock | stock.RestockStock) -> str:
    match word:
        case stock.ReceiveStock(receipt_id=receipt_id):
            return f"receipt/{receipt_id}"
        case stock.AdjustStock(adjustment_id=adjustment_id):
            return f"adjustment/{adjustment_id}"
        case stock.RestockStock(order_id=order_id, return_id=return_id):
            # Customers name their returns; only within an order is that a name.
            return f"return/{order_id}/{return_id}"


# --- fold --------------------------------------------------------------------


def evolve(memory: Stock, word: Message, _at_ms: int) -> Stock:  # noqa: PLR0911  one match
    """Return `memory` after `word`; answers change nothing, the commands did."""
    match word:
        case stock.ReceiveStock(quantity=quantity):
            return _counted(memory, word, quantity, received=quantity)
        case stock.AdjustStock():
            delta = _applied(memory, word)
            return _counted(memory, word, delta, received=delta)
        case stock.RestockStock(quantity=quantity):
            return _counted(memory, word, quantity, shipped=-quantity)
        case stock.ReserveStock(order_id=order_id, quantity=quantity):
            if not _grants(memory, word):
                has = order_id in memory.held or order_id in memory.sent
                return memory if has else _close(memory, order_id)
            held = {**memory.held, order_id: quantity}
            return replace(memory, on_hand=memory.on_hand - quantity, held=held)
        case stock.ReleaseStock(order_id=order_id):
            return _released(memory, order_id)
        case stock.ShipStock(order_id=order_id):
            return _sent(memory, order_id)
        case stock.UnshipStock(order_id=order_id, quantity=quantity):
            return _unsent(memory, order_id, quantity)
        case _:
            return memory


def _counted(
    memory: Stock,
    word: stock.ReceiveStock | stock.AdjustStock | stock.RestockStock,
    units: int,
    *,
    received: int = 0,
    shipped: int = 0,
) -> Stock:
    if _count_id(word) in memory.counted:
        return memory
    return replace(
        memory,
        on_hand=memory.on_hand + units,
        received=memory.received + received,
        shipped=memory.shipped + shipped,
        counted=(*memory.counted, _count_id(word))[-REMEMBERED_MAX:],
    )


def _released(memory: Stock, order_id: str) -> Stock:
    held = {other: units for other, units in memory.held.items() if other != order_id}
    on_hand = memory.on_hand + memory.held.get(order_id, 0)
    return _close(replace(memory, held=held, on_hand=on_hand), order_id)


def _sent(memory: Stock, order_id: str) -> Stock:
    units = memory.held.get(order_id, 0)
    if not units:
        return memory
    held = {other: units for other, units in memory.held.items() if other != order_id}
    sent = dict([*memory.sent.items(), (order_id, units)][-REMEMBERED_MAX:])
    return replace(memory, held=held, sent=sent, shipped=memory.shipped + units)


def _unsent(memory: Stock, order_id: str, quantity: int) -> Stock:
    if order_id in memory.held:
        return _released(memory, order_id)
    forgotten = order_id not in memory.sent and order_id not in memory.closed
    units = quantity if forgotten else memory.sent.get(order_id, 0)
    sent = {other: units for other, units in memory.sent.items() if other != order_id}
    return _close(
        replace(memory, sent=sent, on_hand=memory.on_hand + units, shipped=memory.shipped - units),
        order_id,
    )


def _close(memory: Stock, order_id: str) -> Stock:
    if order_id in memory.closed:
        return memory
    return replace(memory, closed=(*memory.closed, order_id)[-REMEMBERED_MAX:])
