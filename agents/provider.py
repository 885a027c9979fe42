"""The provider agent: calls the payment provider for payment, and produces its answers.

Consumes   provider.commands
Table      nothing
Produces   provider.answers
"""

import importlib
from collections.abc import Sequence

from app.delivery.agent import Caller, register
from workflows.payment import topics as payment_topics
from workflows.payment.topics import ProviderCommand
from workflows.shared.message import Message

GATEWAY = "app.gateways.provider"
"""Imported on first use: only the service that calls the provider loads the SDK."""


def load() -> None:
    """Import the provider's SDK, which takes half a second."""
    importlib.import_module(GATEWAY)


async def ask_provider(command: ProviderCommand) -> Sequence[Message]:
    """Return the answer of the provider."""
    answers: Sequence[Message] = await importlib.import_module(GATEWAY).ask_provider(command)
    return answers


provider_agent = register(
    Caller(
        name="provider",
        service="payment",
        consumes=(payment_topics.provider_commands,),
        produces=(payment_topics.provider_answers,),
        call=ask_provider,
        prepare=load,
    )
)
