"""The order agent: joins the steps of an order, minds their deadlines and produces its one end.

Consumes   orders, payments, inventory, fraud, shipments
Table      order
Produces   sagas
"""

from app.delivery.agent import register
from app.wire import topics
from tables.order import orders
from workflows.order import process as order

order_agent = register(
    name="order",
    service="order",
    consumes=(
        topics.orders,
        topics.payments,
        topics.inventory,
        topics.fraud,
        topics.shipments,
    ),
    produces=(topics.sagas,),
    table=orders,
    decide=order.decide,
    evolve=order.evolve,
    due=order.due,
)
