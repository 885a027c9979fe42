"""The shipping room: sends what is paid, reserved and judged clean; decides what can be stopped.

Hears   orders, payments, inventory, fraud, sagas, carrier.answers, carrier.webhooks
Keeps   shipping
Tells   shipments, carrier.commands
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.shipping import parcels
from workflows.shipping import process as shipping

shipping_room = open_room(
    name="shipping",
    service="shipping",
    hears=(
        topics.orders,
        topics.payments,
        topics.inventory,
        topics.fraud,
        topics.sagas,
        topics.carrier_answers,
        topics.carrier_webhooks,
    ),
    tells=(topics.shipments, topics.carrier_commands),
    keeps=parcels,
    decide=shipping.decide,
    evolve=shipping.evolve,
    due=shipping.due,
)
