"""The fraud agent: asks the entities of a payment, gathers their answers, produces the verdict.

Consumes   payments, fraud.answers, fraud.labels, topics of its reactions
Table      verdict
Produces   fraud.checks, fraud, fraud.cases
"""

from app.delivery.agent import InformedDecider, register
from app.fraud.live import drift, judge
from app.wire.topics import reactions_of
from tables.fraud import verdicts
from workflows.fraud import process as fraud
from workflows.fraud import topics as fraud_topics
from workflows.payment import topics as payment_topics
from workflows.shared.reaction import reaction_topics

reactions = reactions_of("fraud")

fraud_agent = register(
    InformedDecider(
        name="fraud",
        service="fraud",
        consumes=(
            payment_topics.payments,
            fraud_topics.fraud_answers,
            fraud_topics.fraud_labels,
            *reaction_topics(reactions),
        ),
        produces=(fraud_topics.fraud_checks, fraud_topics.fraud, fraud_topics.fraud_cases),
        table=verdicts,
        reactions=reactions,
        evolve=fraud.evolve,
        judge=fraud.pending,
        open=judge.open_judge,
        follow=judge.follow,
        observe=drift.count,
    )
)
