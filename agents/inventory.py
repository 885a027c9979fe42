"""The inventory room: gathers the goods of an order from their shelves, and puts them back.

Hears   orders, payments, fraud, shipments, sagas, stock.answers
Keeps   inventory
Tells   inventory, stock.commands
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.inventory import reservations
from workflows.inventory import process as inventory

inventory_room = open_room(
    name="inventory",
    service="inventory",
    hears=(
        topics.orders,
        topics.payments,
        topics.fraud,
        topics.shipments,
        topics.sagas,
        topics.stock_answers,
    ),
    tells=(topics.inventory, topics.stock_commands),
    keeps=reservations,
    decide=inventory.decide,
    evolve=inventory.evolve,
)
