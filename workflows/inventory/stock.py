"""The answers of one shelf: the units of one SKU, who holds them, what has left."""

from typing import ClassVar

from workflows.inventory import stock_messages as stock
from workflows.inventory.shelf import (
    INITIAL,
    OPEN_ORDERS_MAX,
    Stock,
    applied,
    evolve,
    grants,
    is_counted,
    is_late,
    knows,
)
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.message import Message

__all__ = ["INITIAL", "Stock", "decide", "evolve", "once"]


class PossiblyRepeated(PayflowError):
    """A shelf no longer knows whether it has applied a command: neither once nor twice is safe."""

    kind: ClassVar[ErrorKind] = "conflict"


def decide(state: Stock, received: Message, at_ms: int) -> tuple[Message, ...]:
    """Return the answer to `received`; a known receipt or count gets no second answer.

    Raises PossiblyRepeated where only a person can find out whether it was applied before.
    """
    _check_known(state, received, at_ms)
    match received:
        case stock.ReserveStock():
            return _reservation(state, received, at_ms)
        case (
            stock.ReleaseStock(order_id=order_id, sku=sku)
            | stock.UnshipStock(order_id=order_id, sku=sku)
        ):
            return (stock.StockReleased(order_id=order_id, sku=sku),)
        case stock.RestockStock(order_id=order_id, return_id=return_id, sku=sku):
            return (stock.StockRestocked(order_id=order_id, return_id=return_id, sku=sku),)
        case stock.ReceiveStock() if not is_counted(state, received):
            return (
                stock.StockReceived(
                    receipt_id=received.receipt_id, sku=received.sku, quantity=received.quantity
                ),
            )
        case stock.AdjustStock() if not is_counted(state, received):
            return (
                stock.StockAdjusted(
                    adjustment_id=received.adjustment_id,
                    sku=received.sku,
                    delta=applied(state, received),
                    delta_asked=received.delta,
                ),
            )
        case _:
            return ()


def once(received: Message) -> tuple[str, ...]:
    """Return the names of a receipt, a count or a return: each counts once, for ever.

    Its producer chooses it, and may repeat it years later under another event id.
    """
    match received:
        case stock.ReceiveStock() | stock.AdjustStock() | stock.RestockStock():
            return stock.count_ids(received)
        case _:
            return ()


def _reservation(state: Stock, command: stock.ReserveStock, at_ms: int) -> tuple[Message, ...]:
    order_id, sku = command.order_id, command.sku
    if is_late(state, order_id, at_ms):
        # Inventory has a deadline, and gives up a request that gets no answer.
        return ()
    has = state.held.get(order_id) or state.sent.get(order_id)
    if has or grants(state, command):
        return (stock.StockReserved(order_id=order_id, sku=sku, quantity=has or command.quantity),)
    is_full = command.quantity <= state.on_hand and len(state.held) >= OPEN_ORDERS_MAX
    return (
        stock.StockRefused(
            order_id=order_id,
            sku=sku,
            quantity=command.quantity,
            on_hand=state.on_hand,
            reason=stock.TOO_MANY_OPEN_ORDERS if is_full else stock.OUT_OF_STOCK,
        ),
    )


def _check_known(state: Stock, received: Message, at_ms: int) -> None:
    match received:
        case stock.UnshipStock(order_id=order_id):
            is_known = knows(state, order_id)
            until_ms = state.closed_forgotten.until_ms
        case stock.ReceiveStock() | stock.AdjustStock() | stock.RestockStock():
            is_known = is_counted(state, received)
            until_ms = state.counted_forgotten.until_ms
        case _:
            return
    if not is_known and at_ms <= until_ms:
        raise PossiblyRepeated(
            "this shelf has forgotten what was counted so long ago, perhaps this too. Operator: "
            "search its topic for the same message; where it is the first, adjust the stock"
        )
