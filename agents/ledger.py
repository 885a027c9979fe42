"""The ledger room: keeps the books of every order, in double entry.

Hears   payments, shipments
Keeps   ledger
Tells   ledger
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.ledger import books
from workflows.ledger import process as ledger

ledger_room = open_room(
    name="ledger",
    service="ledger",
    hears=(topics.payments, topics.shipments),
    tells=(topics.ledger,),
    keeps=books,
    decide=ledger.decide,
    evolve=ledger.evolve,
)
