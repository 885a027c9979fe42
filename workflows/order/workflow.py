"""The order workflow as the platform reads it."""

from workflows.order.messages import OrderPlaced
from workflows.order.pending_steps import STEPS
from workflows.order.saga_messages import OrderCancelled, OrderCompleted
from workflows.shared.workflow import Workflow, declare_workflow


def outcome(end: OrderCompleted | OrderCancelled) -> str:
    """Return `completed`, or the cause for which the order was cancelled."""
    return end.cause if isinstance(end, OrderCancelled) else "completed"


ORDER = declare_workflow(
    Workflow(
        name="order",
        started_by=OrderPlaced,
        key="order_id",
        table="order",
        ends={"completed": OrderCompleted, "cancelled": OrderCancelled},
        outcome=outcome,
        steps=STEPS,
    )
)
