"""The fraud room: asks the parties of a payment, gathers their answers, tells the verdict.

Hears   payments, fraud.answers, fraud.labels, shipments
Keeps   verdict
Tells   fraud.checks, fraud, fraud.cases
"""

from collections.abc import Sequence

from app.delivery.agent import open_room
from app.fraud.live import drift as watch
from app.fraud.live import judge
from app.wire import topics
from tables.fraud import verdicts
from workflows.fraud import process as fraud
from workflows.shared.message import Message


def decide(memory: fraud.Checked, heard: Message, at_ms: int) -> Sequence[Message]:
    """Judge by the rules and models of the moment."""
    return fraud.decide(memory, heard, at_ms, judge.current())


fraud_room = open_room(
    name="fraud",
    service="fraud",
    hears=(topics.payments, topics.fraud_answers, topics.fraud_labels, topics.shipments),
    tells=(topics.fraud_checks, topics.fraud, topics.fraud_cases),
    keeps=verdicts,
    decide=decide,
    evolve=fraud.evolve,
    knows=judge.follow,
    watch=watch.count,
)
