"""The order workflow as the platform reads it."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from workflows.analytics.figures import FIGURES
from workflows.order.evidence import evidence
from workflows.order.invariants import INVARIANTS
from workflows.order.messages import OrderPlaced
from workflows.order.pending_steps import STEPS, pending_steps, status_of, waits
from workflows.order.retried_calls import retried_calls
from workflows.order.returns import Returns
from workflows.order.saga_messages import OrderCancelled, OrderCompleted
from workflows.order.state import UNPAID, Order
from workflows.order.topics import orders
from workflows.order.view import details, view
from workflows.order.view_shape import ShownOrder
from workflows.payment.cases import CASES as PAYMENT_CASES
from workflows.payment.topics import payments, provider_answers
from workflows.shared.money import money
from workflows.shared.workflow import Holding, Milestone, View, Workflow, declare_workflow
from workflows.shipping.topics import shipments

MILESTONES = tuple(
    Milestone(name=name, figure=figure, step=step, awaits=awaits)
    for name, figure, step, awaits in (
        ("placed", "orders", "payment", "the payment to be made"),
        ("paid", "secured", "inventory", "items to be reserved"),
        ("reserved", "reserved", "fraud", "a verdict on the payment"),
        ("confirmed", "confirmed", "shipping", "the carrier to take the shipment"),
        ("shipped", "shipments", "delivery", "the carrier to deliver"),
        ("delivered", "delivered", "order", "its own next message"),
        ("cancelled", "cancelled", "compensating", "the refund, and the items to be restocked"),
    )
)


def outcome(end: OrderCompleted | OrderCancelled) -> str:
    """Return `completed`, or the cause for which the order was cancelled."""
    return end.cause if isinstance(end, OrderCancelled) else "completed"


def shown_order(state: Order, now_ms: int) -> dict[str, Any]:
    """Return an order as people read it, with its real status."""
    return {
        **view(state),
        "status": status_of(state, now_ms),
        "placed_at_ms": state.placed_at_ms,
    }


def headline(facts: Mapping[str, Any]) -> str:
    """Return how much an order comes to, and from where: 1,234.50 GBP from France."""
    amounts = facts["amounts"]
    return f"{money(amounts['total_minor'], amounts['currency'])} from {facts['country']}"


def is_placed(state: Order) -> bool:
    """Return whether the order was placed: a return of an unknown order makes a row too."""
    return bool(state.order_id)


def brief(state: Order) -> Order:
    """Return only the fields that determine the status of the order."""
    return replace(state, customer_id="", bought={}, detail="", returns=Returns(), disputes={})


def holding(state: Order) -> Holding:
    """Return whether the order waits for its money, and the units that it keeps from others."""
    is_open = bool(state.order_id) and not (state.completed_at_ms or state.cancelled_at_ms)
    is_here = state.shipping.status in ("waiting", "failed")
    holds = is_open and is_here and state.inventory.status in ("waiting", "reserved")
    return Holding(
        customer_id=state.customer_id,
        is_unpaid=is_open and not state.cause and state.payment.status in UNPAID,
        units=sum(state.bought.values()) if holds else 0,
    )


def is_compensated(state: Order) -> bool:
    """Return whether something was compensated before the order was cancelled."""
    compensated = bool(state.compensated_minor) or state.inventory.status == "released"
    return bool(state.cancelled_at_ms) and compensated


def has_failed_payment(state: Order) -> bool:
    """Return whether the order is cancelled because it could not be paid."""
    return state.cause == "payment_failed"


def customer_of(payment: Mapping[str, Any]) -> str:
    """Return the customer of a payment's row, in plain values."""
    bill: dict[str, Any] = payment.get("bill") or {}
    return str(bill.get("customer_id") or "")


VIEW = View(
    open_statuses=("waiting", "retrying", "compensating", "stuck"),
    facts=view,
    shape=ShownOrder,
    details=details,
    shown=shown_order,
    headline=headline,
    began=("placed", "placed_at_ms"),
    begun=is_placed,
    waits=waits,
    brief=brief,
    holding=holding,
    pending_steps=pending_steps,
    retried_calls=retried_calls,
    presets={"compensated": is_compensated, "failed_payment": has_failed_payment},
    milestones=MILESTONES,
    id_topics=(payments, provider_answers, shipments, orders),
    cases=PAYMENT_CASES,
    evidence=evidence,
    person_table="payment",
    person_of=customer_of,
)

ORDER = declare_workflow(
    Workflow(
        name="order",
        started_by=OrderPlaced,
        key="order_id",
        table="order",
        ends={"completed": OrderCompleted, "cancelled": OrderCancelled},
        outcome=outcome,
        steps=STEPS,
        invariants=INVARIANTS,
        view=VIEW,
        figures=FIGURES,
    )
)
