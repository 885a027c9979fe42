"""The carrier agent: calls the carrier for shipping, and produces its answers.

Consumes   carrier.commands
Table      nothing
Produces   carrier.answers
"""

from app.delivery.agent import Caller, register
from app.gateways.carrier import ask_carrier
from workflows.shipping import topics as shipping_topics

carrier_agent = register(
    Caller(
        name="carrier",
        service="shipping",
        consumes=(shipping_topics.carrier_commands,),
        produces=(shipping_topics.carrier_answers,),
        call=ask_carrier,
    )
)
