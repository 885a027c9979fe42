"""The ledger room: keeps the books of every order, in double entry.

Hears   payments, shipments
Keeps   ledger
Tells   ledger
"""

from app import topics
from app.room import open_room
from tables.ledger import books
from workflows import ledger

ledger_room = open_room(
    name="ledger",
    service="ledger",
    hears=(topics.payments, topics.shipments),
    tells=(topics.ledger,),
    keeps=books,
    decide=ledger.decide,
    evolve=ledger.evolve,
)
