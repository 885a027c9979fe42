"""The shipping agent: sends what is paid, reserved and judged clean; decides what can be stopped.

Consumes   orders, payments, inventory, fraud, sagas, carrier.answers, carrier.webhooks
Table      shipping
Produces   shipments, carrier.commands
"""

from app.delivery.agent import register
from app.wire import topics
from tables.shipping import parcels
from workflows.shipping import process as shipping

shipping_agent = register(
    name="shipping",
    service="shipping",
    consumes=(
        topics.orders,
        topics.payments,
        topics.inventory,
        topics.fraud,
        topics.sagas,
        topics.carrier_answers,
        topics.carrier_webhooks,
    ),
    produces=(topics.shipments, topics.carrier_commands),
    table=parcels,
    decide=shipping.decide,
    evolve=shipping.evolve,
    due=shipping.due,
)
