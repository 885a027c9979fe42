"""The risk room: says how each party of a payment stood, and remembers the payment.

Hears   fraud.checks
Keeps   risk
Tells   fraud.answers
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.risk import parties
from workflows.fraud import risk

risk_room = open_room(
    name="risk",
    service="fraud",
    hears=(topics.fraud_checks,),
    tells=(topics.fraud_answers,),
    keeps=parties,
    decide=risk.decide,
    evolve=risk.evolve,
)
