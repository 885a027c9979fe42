"""Shipments as facts: only the shipping agent emits them, since only it can stop one."""

from workflows.order.partial_shipment import PartialShipment
from workflows.shared.limits import Name, Text
from workflows.shared.message import Message


class ShipmentCreated(Message, tag="payflow.shipment.created.v1", frozen=True, kw_only=True):
    """The carrier has booked the shipment."""

    order_id: Name
    shipment_id: Name
    tracking: Text = ""
    partial: PartialShipment | None = None
    """What is in it, where not all of the order is; None: all of it."""


class ShipmentFailed(Message, tag="payflow.shipment.failed.v1", frozen=True, kw_only=True):
    """The carrier will not take it; nothing will be shipped."""

    order_id: Name
    reason: Text


class ShipmentCancelled(Message, tag="payflow.shipment.cancelled.v1", frozen=True, kw_only=True):
    """Nothing will be shipped, or what was on its way is stopped (`shipment_id` is set then)."""

    order_id: Name
    cause: Text
    shipment_id: str = ""


class ShipmentDelivered(Message, tag="payflow.shipment.delivered.v1", frozen=True, kw_only=True):
    """The customer has it: nothing can be stopped any more."""

    order_id: Name
    shipment_id: Name


ShipmentMessage = ShipmentCreated | ShipmentFailed | ShipmentCancelled | ShipmentDelivered
