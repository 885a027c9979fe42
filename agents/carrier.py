"""The carrier room: asks the carrier what shipping wants of it, and tells its answers.

Hears   carrier.commands
Keeps   nothing
Tells   carrier.answers
"""

from app.delivery.agent import open_room
from app.gateways.carrier import ask_carrier
from app.wire import topics

carrier_room = open_room(
    name="carrier",
    service="shipping",
    hears=(topics.carrier_commands,),
    tells=(topics.carrier_answers,),
    call=ask_carrier,
)
