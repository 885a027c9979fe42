"""The shipping agent: ships what is paid, reserved and cleared; decides what can be stopped.

Consumes   orders, payments, inventory, fraud, sagas, carrier.answers, carrier.webhooks
Table      shipping
Produces   shipments, carrier.commands
"""

from app.delivery.agent import Decider, register
from tables.shipping import shipments
from workflows.fraud import topics as fraud_topics
from workflows.inventory import topics as inventory_topics
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shipping import process as shipping
from workflows.shipping import topics as shipping_topics

shipping_agent = register(
    Decider(
        name="shipping",
        service="shipping",
        workflow="order",
        consumes=(
            order_topics.orders,
            payment_topics.payments,
            inventory_topics.inventory,
            fraud_topics.fraud,
            order_topics.sagas,
            shipping_topics.carrier_answers,
            shipping_topics.carrier_webhooks,
        ),
        produces=(shipping_topics.shipments, shipping_topics.carrier_commands),
        table=shipments,
        evolve=shipping.evolve,
        pending=shipping.pending,
        due=shipping.due,
    )
)
