"""The inventory room: gathers the goods of an order from their shelves, and puts them back.

Hears   orders, payments, fraud, shipments, sagas, stock.answers
Keeps   inventory
Tells   inventory, stock.commands
"""

from app import topics
from app.room import open_room
from tables.inventory import reservations
from workflows import inventory

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
