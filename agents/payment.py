"""The payment agent: takes the money of an order once, and gives it back when nothing is shipped.

Consumes   orders, inventory, fraud, shipments, sagas, provider.answers, provider.webhooks
Table      payment
Produces   payments, provider.commands
"""

from app.delivery.agent import Decider, register
from tables.payment import payments
from workflows.fraud import topics as fraud_topics
from workflows.inventory import topics as inventory_topics
from workflows.order import topics as order_topics
from workflows.payment import process as payment
from workflows.payment import topics as payment_topics
from workflows.shipping import topics as shipping_topics

payment_agent = register(
    Decider(
        name="payment",
        service="payment",
        consumes=(
            order_topics.orders,
            inventory_topics.inventory,
            fraud_topics.fraud,
            shipping_topics.shipments,
            order_topics.sagas,
            payment_topics.provider_answers,
            payment_topics.provider_webhooks,
        ),
        produces=(payment_topics.payments, payment_topics.provider_commands),
        table=payments,
        evolve=payment.evolve,
        pending=payment.pending,
        due=payment.due,
    )
)
