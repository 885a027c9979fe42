"""The fraud room: files every completed payment under its customer, to be judged.

Hears   payments
Keeps   nothing
Tells   fraud.checks
"""

from app import topics
from app.room import open_room
from workflows import fraud

fraud_room = open_room(
    name="fraud",
    service="fraud",
    hears=(topics.payments,),
    tells=(topics.fraud_checks,),
    decide=fraud.ask,
)
