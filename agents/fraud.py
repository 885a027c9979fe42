"""The fraud agent: asks the entities of a payment, gathers their answers, produces the verdict.

Consumes   payments, fraud.answers, fraud.labels, shipments
Table      verdict
Produces   fraud.checks, fraud, fraud.cases
"""

from collections.abc import Sequence

from app.delivery.agent import register
from app.fraud.live import drift, judge
from app.wire import topics
from tables.fraud import verdicts
from workflows.fraud import process as fraud
from workflows.shared.message import Message


def decide(state: fraud.PaymentCheck, received: Message, at_ms: int) -> Sequence[Message]:
    """Judge by the rules and models of the moment."""
    return fraud.decide(state, received, at_ms, judge.current())


fraud_agent = register(
    name="fraud",
    service="fraud",
    consumes=(topics.payments, topics.fraud_answers, topics.fraud_labels, topics.shipments),
    produces=(topics.fraud_checks, topics.fraud, topics.fraud_cases),
    table=verdicts,
    decide=decide,
    evolve=fraud.evolve,
    knows=judge.follow,
    watch=drift.count,
)
