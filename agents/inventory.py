"""The inventory agent: reserves the items of an order SKU by SKU, and puts them back.

Consumes   orders, payments, fraud, shipments, sagas, stock.answers
Table      inventory
Produces   inventory, stock.commands
"""

from app.delivery.agent import Decider, register
from tables.inventory import reservations
from workflows.fraud import topics as fraud_topics
from workflows.inventory import process as inventory
from workflows.inventory import topics as inventory_topics
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shipping import topics as shipping_topics

inventory_agent = register(
    Decider(
        name="inventory",
        service="inventory",
        workflow="order",
        consumes=(
            order_topics.orders,
            payment_topics.payments,
            fraud_topics.fraud,
            shipping_topics.shipments,
            order_topics.sagas,
            inventory_topics.stock_answers,
        ),
        produces=(inventory_topics.inventory, inventory_topics.stock_commands),
        table=reservations,
        evolve=inventory.evolve,
        pending=inventory.pending,
    )
)
