"""The risk agent: answers with the history of an entity, and adds the payment to it.

Consumes   fraud.checks
Table      risk
Produces   fraud.answers
"""

from app.delivery.agent import Decider, register
from tables.risk import entities
from workflows.fraud import risk
from workflows.fraud import topics as fraud_topics

risk_agent = register(
    Decider(
        name="risk",
        service="fraud",
        consumes=(fraud_topics.fraud_checks,),
        produces=(fraud_topics.fraud_answers,),
        table=entities,
        decide=risk.decide,
        evolve=risk.evolve,
    )
)
