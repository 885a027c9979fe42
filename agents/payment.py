"""The payment room: takes the money of an order once, and gives it back when nothing is shipped.

Hears   orders, inventory, fraud, shipments, sagas, provider.answers, provider.webhooks
Keeps   payment
Tells   payments, provider.commands
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.payment import payments
from workflows.payment import process as payment

payment_room = open_room(
    name="payment",
    service="payment",
    hears=(
        topics.orders,
        topics.inventory,
        topics.fraud,
        topics.shipments,
        topics.sagas,
        topics.provider_answers,
        topics.provider_webhooks,
    ),
    tells=(topics.payments, topics.provider_commands),
    keeps=payments,
    decide=payment.decide,
    evolve=payment.evolve,
    due=payment.due,
)
