"""The provider room: asks the payment provider what payment wants to know, and tells its answers.

Hears   provider.commands
Keeps   nothing
Tells   provider.answers
"""

from app import topics
from app.gateways.provider import ask_provider
from app.room import open_room

provider_room = open_room(
    name="provider",
    service="payment",
    hears=(topics.provider_commands,),
    tells=(topics.provider_answers,),
    call=ask_provider,
)
