"""What customers say, on `orders`, and what operators give, on `goodwill`: emitted by the API."""

from typing import Annotated

import msgspec

from workflows.payment.capture_messages import CaptureKind
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.limits import (
    LINES_MAX,
    MINOR_MAX,
    Currency,
    Milliseconds,
    Minor,
    MinorDue,
    Name,
    NameIfAny,
    Quantity,
    Text,
)
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople, Personal


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Items of one SKU; `amount_minor` is for the whole line."""

    sku: Name
    quantity: Quantity
    amount_minor: MinorDue
    description: NamesPeople[Text] = ""


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """An amount that is not for items: postage, carriage, fees; a discount is negative."""

    code: Name
    amount_minor: Minor


class ReturnLine(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one SKU that come back."""

    sku: Name
    quantity: Quantity
    amount_minor: MinorDue = 0
    """What they are worth, once that is computed; a request of now names no amount."""
    goods: bool = True
    """False in requests of earlier versions, for money without items."""
    line: Annotated[int, msgspec.Meta(ge=0, le=LINES_MAX)] = 0
    """The number of the order's line, from 1; 0: whichever has units of the SKU left."""


class OrderPlaced(Message, tag="payflow.order.placed.v1", frozen=True, kw_only=True):
    """A customer wants `lines` and owes `total_minor`; a guest has no `customer_id`."""

    order_id: Name
    customer_id: Personal[NameIfAny] = ""
    country: Name
    currency: Currency
    lines: Annotated[tuple[Line, ...], msgspec.Meta(max_length=LINES_MAX)]
    charges: Annotated[tuple[Charge, ...], msgspec.Meta(max_length=LINES_MAX)] = ()
    total_minor: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_00)]
    payment_method: Personal[Name]
    ordered_at_ms: Milliseconds
    reference: NamesPeople[Annotated[str, msgspec.Meta(max_length=128)]] = ""
    origin: Origin = UNKNOWN
    capture: CaptureKind = "automatic"
    partial_shipment: bool = False
    """Whether the rest ships when some lines cannot be had; else nothing ships."""


class OrderCancelRequested(
    Message, tag="payflow.order.cancel_requested.v1", frozen=True, kw_only=True
):
    """The customer wants to cancel; shipping decides whether it is still in time."""

    order_id: Name
    reason: Text = ""


class ReturnRequested(Message, tag="payflow.order.return_requested.v1", frozen=True, kw_only=True):
    """Part of a completed order comes back, and what it is worth is to be refunded."""

    order_id: Name
    return_id: Name
    lines: Annotated[tuple[ReturnLine, ...], msgspec.Meta(min_length=1, max_length=LINES_MAX)]
    amount_minor: MinorDue = 0
    """The most that is refunded, in requests of earlier versions; 0: what the lines are worth."""
    reason: Text = ""


class GoodwillGranted(Message, tag="payflow.order.goodwill_granted.v1", frozen=True, kw_only=True):
    """An operator gives money back without items: it is refunded as a return is."""

    order_id: Name
    return_id: Name
    amount_minor: Annotated[int, msgspec.Meta(ge=1, le=MINOR_MAX)]
    reason: Text = ""
    alone_max_minor: MinorDue | None = None
    """The most that one person refunds of an order, this included; None: two have agreed.

    The order's row decides by it: two consoles at once do not know of each other."""


OrderMessage = OrderPlaced | OrderCancelRequested | ReturnRequested
