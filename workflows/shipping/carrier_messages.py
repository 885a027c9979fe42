"""What shipping asks the carrier (`carrier.commands`) and what came of it (`carrier.answers`)."""

from typing import Literal

from workflows.shared.limits import Name, Text
from workflows.shared.message import Message


class BookShipment(Message, tag="payflow.carrier.book.v1", frozen=True, kw_only=True):
    """Book the one shipment of this order; asking again finds the same booking."""

    order_id: Name
    country: Name
    units: int
    attempt: int


class WithdrawShipment(Message, tag="payflow.carrier.withdraw.v1", frozen=True, kw_only=True):
    """Stop the shipment, if it can still be stopped; a later booking is refused."""

    order_id: Name
    attempt: int


class InquireShipment(Message, tag="payflow.carrier.inquire.v1", frozen=True, kw_only=True):
    """Find out where the shipment is."""

    order_id: Name
    attempt: int


class ShipmentBooked(Message, tag="payflow.carrier.booked.v1", frozen=True, kw_only=True):
    """The carrier has the booking; asked again, it is the same one."""

    order_id: Name
    shipment_id: Name
    tracking: Text = ""


class ShipmentRefused(Message, tag="payflow.carrier.refused.v1", frozen=True, kw_only=True):
    """The carrier will never take this shipment."""

    order_id: Name
    reason: Text


class ShipmentWithdrawn(Message, tag="payflow.carrier.withdrawn.v1", frozen=True, kw_only=True):
    """Nothing travels: stopped, or never booked and barred from being booked."""

    order_id: Name


class ShipmentTracked(Message, tag="payflow.carrier.tracked.v1", frozen=True, kw_only=True):
    """Where it is, as asked (`carrier.answers`)."""

    order_id: Name
    shipment_id: Name
    status: Literal["in_transit", "delivered"]


class ShipmentUnknown(Message, tag="payflow.carrier.unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no; shipping asks again."""

    order_id: Name
    attempt: int
    reason: Text


class CarrierNotified(Message, tag="payflow.carrier.notified.v1", frozen=True, kw_only=True):
    """A signed webhook of the carrier, emitted on `carrier.webhooks` by the console."""

    order_id: Name
    notice_id: Name
    shipment_id: Name
    status: Literal["in_transit", "delivered"]


CarrierCommand = BookShipment | WithdrawShipment | InquireShipment
CarrierAnswer = (
    ShipmentBooked | ShipmentRefused | ShipmentWithdrawn | ShipmentTracked | ShipmentUnknown
)
