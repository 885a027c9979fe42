"""The order room: joins the steps of an order, minds their deadlines and tells its one end.

Hears   orders, payments, inventory, fraud, shipments
Keeps   order
Tells   sagas
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.order import orders
from workflows.order import process as order

order_room = open_room(
    name="order",
    service="order",
    hears=(
        topics.orders,
        topics.payments,
        topics.inventory,
        topics.fraud,
        topics.shipments,
    ),
    tells=(topics.sagas,),
    keeps=orders,
    decide=order.decide,
    evolve=order.evolve,
    due=order.due,
)
