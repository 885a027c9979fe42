"""Topics of the subject order."""

from workflows.order.messages import GoodwillGranted, OrderMessage, OrderPlaced
from workflows.order.saga_messages import OrderCancelled, ReturnRefused, SagaMessage, StepOverdue
from workflows.shared.topic import MessageCounter, by, declare

orders = declare(
    "orders",
    OrderMessage,
    key=by("order_id"),
    writer="console",
    retention_ms=-1,
    open=True,
    said_times={OrderPlaced: "ordered_at_ms"},
    traced=True,
)
goodwill = declare(
    "goodwill",
    GoodwillGranted,
    key=by("order_id"),
    writer="console",
    retention_ms=-1,
    traced=True,
)
sagas = declare(
    "sagas",
    SagaMessage,
    key=by("order_id"),
    writer="order",
    retention_ms=-1,
    traced=True,
    kinds={"retry": (StepOverdue,), "failure": (OrderCancelled, ReturnRefused)},
    counters=(
        MessageCounter(
            message=StepOverdue,
            metric="payflow_steps_overdue_total",
            help="Steps without an answer by their deadline.",
            label="step",
        ),
    ),
)
