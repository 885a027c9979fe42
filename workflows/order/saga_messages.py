"""How a transaction as a whole went: emitted on `sagas` by order."""

from typing import Annotated, Literal

import msgspec

from workflows.order.messages import ReturnLine
from workflows.order.return_amount import ReturnAmount
from workflows.shared.limits import (
    LINES_MAX,
    RETURNS_ASKED_MAX,
    Currency,
    Milliseconds,
    MinorDue,
    Name,
    Text,
)
from workflows.shared.message import Message

Step = Literal["payment", "inventory", "fraud", "shipping", "delivery", "capture"]
Cause = Literal[
    "payment_failed",
    "out_of_stock",
    "fraud",
    "shipment_failed",
    "cancelled_by_customer",
    "overdue",
    "payment_expired",
]


class OrderConfirmed(Message, tag="payflow.saga.confirmed.v1", frozen=True, kw_only=True):
    """Paid, reserved and judged clean."""

    order_id: Name


class OrderCompleted(Message, tag="payflow.saga.completed.v1", frozen=True, kw_only=True):
    """Delivered: the order has succeeded."""

    order_id: Name


class OrderCancelled(Message, tag="payflow.saga.cancelled.v1", frozen=True, kw_only=True):
    """Everything that was done has been compensated: the order has failed."""

    order_id: Name
    cause: Cause
    detail: Text = ""
    by_bank: bool = False
    """The customer's bank has given the money back after a dispute, not we."""


class StepOverdue(Message, tag="payflow.saga.step_overdue.v1", frozen=True, kw_only=True):
    """`step` was due and no event of it has come. It may have happened all the same."""

    order_id: Name
    step: Step
    due_at_ms: Milliseconds


class ReturnAccepted(Message, tag="payflow.saga.return_accepted.v1", frozen=True, kw_only=True):
    """The items may come back: payment refunds and inventory restocks."""

    order_id: Name
    return_id: Name
    lines: Annotated[tuple[ReturnLine, ...], msgspec.Meta(max_length=LINES_MAX)]
    amount_minor: MinorDue
    currency: Currency
    computed: ReturnAmount | None = None
    """How the amount comes about; None for goodwill, and in messages of earlier versions."""


TOO_MANY_ASKED = (
    f"quota returns_asked: {RETURNS_ASKED_MAX} returns of this order were asked for, refused ones "
    "among them, and no more are taken: an operator can refund the rest"
)


class ReturnRefused(Message, tag="payflow.saga.return_refused.v1", frozen=True, kw_only=True):
    """There is nothing to return, and why."""

    order_id: Name
    return_id: Name
    reason: Text
    is_goodwill: bool = False
    """It is an operator who was refused, not the customer."""


SagaMessage = (
    OrderConfirmed | OrderCompleted | OrderCancelled | StepOverdue | ReturnAccepted | ReturnRefused
)
