"""The ledger agent: keeps the books of every transaction, in double entry.

Consumes   payments, provider.settlements, topics of its reactions
Table      ledger
Produces   ledger
"""

from app.delivery.agent import Decider, register
from app.wire.topics import reactions_of
from tables.ledger import books
from workflows.ledger import process as ledger
from workflows.ledger import topics as ledger_topics
from workflows.payment import topics as payment_topics
from workflows.shared.reaction import reaction_topics

reactions = reactions_of("ledger")

ledger_agent = register(
    Decider(
        name="ledger",
        service="ledger",
        consumes=(
            payment_topics.payments,
            payment_topics.provider_settlements,
            *reaction_topics(reactions),
        ),
        produces=(ledger_topics.ledger,),
        table=books,
        decide=ledger.decide,
        reactions=reactions,
        evolve=ledger.evolve,
    )
)
