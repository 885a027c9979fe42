"""The ledger agent: keeps the books of every order, in double entry.

Consumes   payments, shipments
Table      ledger
Produces   ledger
"""

from app.delivery.agent import register
from app.wire import topics
from tables.ledger import books
from workflows.ledger import process as ledger

ledger_agent = register(
    name="ledger",
    service="ledger",
    consumes=(topics.payments, topics.shipments),
    produces=(topics.ledger,),
    table=books,
    decide=ledger.decide,
    evolve=ledger.evolve,
)
