"""The fraud agent: asks the entities of a payment, gathers their answers, produces the verdict.

Consumes   payments, fraud.answers, fraud.labels, shipments
Table      verdict
Produces   fraud.checks, fraud, fraud.cases
"""

from collections.abc import Sequence

from app.delivery.agent import register
from app.fraud.live import drift, judge
from tables.fraud import verdicts
from workflows.fraud import process as fraud
from workflows.fraud import topics as fraud_topics
from workflows.payment import topics as payment_topics
from workflows.shared.message import Message
from workflows.shipping import topics as shipping_topics


def decide(state: fraud.PaymentCheck, received: Message, at_ms: int) -> Sequence[Message]:
    """Judge by the rules and models of the moment."""
    return fraud.decide(state, received, at_ms, judge.current())


fraud_agent = register(
    name="fraud",
    service="fraud",
    consumes=(
        payment_topics.payments,
        fraud_topics.fraud_answers,
        fraud_topics.fraud_labels,
        shipping_topics.shipments,
    ),
    produces=(fraud_topics.fraud_checks, fraud_topics.fraud, fraud_topics.fraud_cases),
    table=verdicts,
    decide=decide,
    evolve=fraud.evolve,
    knows=judge.follow,
    watch=drift.count,
)
