"""Stock of an order as facts: emitted on `inventory` by inventory."""

from typing import Annotated

import msgspec

from workflows.order.partial_shipment import PartialShipment
from workflows.shared.limits import LINES_MAX, Name, Text
from workflows.shared.message import Message


class InventoryReserved(Message, tag="payflow.inventory.reserved.v1", frozen=True, kw_only=True):
    """All lines are held for this order, or all that can be had."""

    order_id: Name
    units: int
    partial: PartialShipment | None = None
    """What ships, where some lines cannot be had and the order allows it; None: all of it."""


class InventoryRejected(Message, tag="payflow.inventory.rejected.v1", frozen=True, kw_only=True):
    """Some line cannot be had, or the order was closed first.

    `reason`: `out_of_stock`, `too_many_open_orders` of the SKU, or `cancelled`.
    """

    order_id: Name
    reason: Text
    skus: Annotated[tuple[str, ...], msgspec.Meta(max_length=LINES_MAX)] = ()


class InventoryReleased(Message, tag="payflow.inventory.released.v1", frozen=True, kw_only=True):
    """What was held is free again."""

    order_id: Name


class InventoryReturned(Message, tag="payflow.inventory.returned.v1", frozen=True, kw_only=True):
    """The items of a return are back on the shelf."""

    order_id: Name
    return_id: Name


InventoryMessage = InventoryReserved | InventoryRejected | InventoryReleased | InventoryReturned
