"""The ledger agent: keeps the books of every order, in double entry.

Consumes   payments, shipments
Table      ledger
Produces   ledger
"""

from app.delivery.agent import Decider, register
from tables.ledger import books
from workflows.ledger import process as ledger
from workflows.ledger import topics as ledger_topics
from workflows.payment import topics as payment_topics
from workflows.shipping import topics as shipping_topics

ledger_agent = register(
    Decider(
        name="ledger",
        service="ledger",
        consumes=(payment_topics.payments, shipping_topics.shipments),
        produces=(ledger_topics.ledger,),
        table=books,
        decide=ledger.decide,
        evolve=ledger.evolve,
    )
)
