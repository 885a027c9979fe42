"""The order agent: joins the steps of an order, watches their deadlines and produces its one end.

Consumes   orders, goodwill, payments, inventory, fraud, shipments
Table      order
Produces   sagas
"""

from app.delivery.agent import Decider, register
from tables.order import orders
from workflows.fraud import topics as fraud_topics
from workflows.inventory import topics as inventory_topics
from workflows.order import process as order
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shipping import topics as shipping_topics

order_agent = register(
    Decider(
        name="order",
        service="order",
        workflow="order",
        consumes=(
            order_topics.orders,
            order_topics.goodwill,
            payment_topics.payments,
            inventory_topics.inventory,
            fraud_topics.fraud,
            shipping_topics.shipments,
        ),
        produces=(order_topics.sagas,),
        table=orders,
        evolve=order.evolve,
        decide=order.decide,
        pending=order.pending,
        due=order.due,
    )
)
