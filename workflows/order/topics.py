"""Topics of the subject order."""

from workflows.order.messages import OrderMessage
from workflows.order.saga_messages import SagaMessage
from workflows.shared.topic import by_order, declare

orders = declare("orders", OrderMessage, key=by_order, writer="console", retention_ms=-1, open=True)
sagas = declare("sagas", SagaMessage, key=by_order, writer="order", retention_ms=-1)
