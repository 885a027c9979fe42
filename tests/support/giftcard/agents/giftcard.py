"""The giftcard agent: credits what is paid, and lets the rest be refunded.

Consumes   giftcards, payments, fraud
Table      giftcard
Produces   giftcard.credits
"""

from tables.giftcard import top_ups
from workflows.giftcard import process as giftcard
from workflows.giftcard.messages import credits_, giftcards

from app.delivery.agent import Decider, register
from workflows.fraud.topics import fraud
from workflows.payment.topics import payments

giftcard_agent = register(
    Decider(
        name="giftcard",
        service="giftcard",
        workflow="giftcard",
        consumes=(giftcards, payments, fraud),
        produces=(credits_,),
        table=top_ups,
        evolve=giftcard.evolve,
        pending=giftcard.pending,
        due=giftcard.due,
    )
)
