"""The provider room: asks the payment provider what payment wants to know, and tells its answers.

Hears   provider.commands
Keeps   nothing
Tells   provider.answers
"""

import importlib
from collections.abc import Sequence

from app.delivery.agent import open_room
from app.wire import topics
from workflows.payment.provider_messages import ProviderCommand
from workflows.shared.message import Message

GATEWAY = "app.gateways.provider"
"""Loaded by the service that asks, not by every process that knows of this room."""


def load() -> None:
    """Import the provider's SDK, which takes half a second."""
    importlib.import_module(GATEWAY)


async def ask_provider(command: ProviderCommand) -> Sequence[Message]:
    """Return the answer of the provider."""
    answers: Sequence[Message] = await importlib.import_module(GATEWAY).ask_provider(command)
    return answers


provider_room = open_room(
    name="provider",
    service="payment",
    hears=(topics.provider_commands,),
    tells=(topics.provider_answers,),
    call=ask_provider,
    warm=load,
)
