"""The risk room: judges a payment against what its customer did before.

Hears   fraud.checks
Keeps   fraud
Tells   fraud
"""

from app import topics
from app.room import open_room
from tables.fraud import customers
from workflows import fraud

risk_room = open_room(
    name="risk",
    service="fraud",
    hears=(topics.fraud_checks,),
    tells=(topics.fraud,),
    keeps=customers,
    decide=fraud.decide,
    evolve=fraud.evolve,
)
