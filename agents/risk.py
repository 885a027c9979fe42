"""The risk agent: says how each entity of a payment stood, and remembers the payment.

Consumes   fraud.checks
Table      risk
Produces   fraud.answers
"""

from app.delivery.agent import register
from app.wire import topics
from tables.risk import entities
from workflows.fraud import risk

risk_agent = register(
    name="risk",
    service="fraud",
    consumes=(topics.fraud_checks,),
    produces=(topics.fraud_answers,),
    table=entities,
    decide=risk.decide,
    evolve=risk.evolve,
)
