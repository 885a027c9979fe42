"""The payment agent: takes the money of a transaction once, and refunds it.

Consumes   provider.answers, provider.webhooks, refund.decisions, capture.decisions,
           dispute.decisions, topics of its reactions
Table      payment
Produces   payments, provider.commands
"""

from app.delivery.agent import Decider, register
from app.wire.topics import reactions_of
from tables.payment import payments
from workflows.payment import process as payment
from workflows.payment import topics as payment_topics
from workflows.shared.reaction import reaction_topics

reactions = reactions_of("payment")

payment_agent = register(
    Decider(
        name="payment",
        service="payment",
        consumes=(
            payment_topics.provider_answers,
            payment_topics.provider_webhooks,
            payment_topics.refund_decisions,
            payment_topics.capture_decisions,
            payment_topics.dispute_decisions,
            *reaction_topics(reactions),
        ),
        produces=(payment_topics.payments, payment_topics.provider_commands),
        table=payments,
        reactions=reactions,
        evolve=payment.evolve,
        pending=payment.pending,
        due=payment.due,
    )
)
