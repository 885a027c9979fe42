"""The payment agent: takes the money of an order once, and gives it back when nothing is shipped.

Consumes   orders, inventory, fraud, shipments, sagas, provider.answers, provider.webhooks
Table      payment
Produces   payments, provider.commands
"""

from app.delivery.agent import register
from app.wire import topics
from tables.payment import payments
from workflows.payment import process as payment

payment_agent = register(
    name="payment",
    service="payment",
    consumes=(
        topics.orders,
        topics.inventory,
        topics.fraud,
        topics.shipments,
        topics.sagas,
        topics.provider_answers,
        topics.provider_webhooks,
    ),
    produces=(topics.payments, topics.provider_commands),
    table=payments,
    decide=payment.decide,
    evolve=payment.evolve,
    due=payment.due,
)
