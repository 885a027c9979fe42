"""The inventory agent: gathers the goods of an order from their shelves, and puts them back.

Consumes   orders, payments, fraud, shipments, sagas, stock.answers
Table      inventory
Produces   inventory, stock.commands
"""

from app.delivery.agent import register
from app.wire import topics
from tables.inventory import reservations
from workflows.inventory import process as inventory

inventory_agent = register(
    name="inventory",
    service="inventory",
    consumes=(
        topics.orders,
        topics.payments,
        topics.fraud,
        topics.shipments,
        topics.sagas,
        topics.stock_answers,
    ),
    produces=(topics.inventory, topics.stock_commands),
    table=reservations,
    decide=inventory.decide,
    evolve=inventory.evolve,
)
