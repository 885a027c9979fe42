"""Webhooks that do not say whose they are: the provider does, by the intent that they name.

A dispute names an intent and no order, and who holds the secret can write anything into it. So the
metadata of the intent, which is ours, takes the place of its own.
"""

from app.config import Config
from app.entrypoints.requests import Emission, WebhookRequest


async def emission_of(
    declared: WebhookRequest, event: dict[str, object], config: Config
) -> Emission | None:
    """Return the message of a webhook; None for what nobody needs.

    Raises BadRequest, and PayflowError while the provider does not answer: it has to come again.
    """
    intent_id = declared.intent_of(event)
    if intent_id is None:
        return declared.emission(event, config)
    return declared.emission(owned(event, await _metadata(config, intent_id)), config)


async def _metadata(config: Config, intent_id: str) -> dict[str, str]:
    # It loads the provider's SDK, which takes half a second.
    from app.gateways.provider_disputes import metadata_of_intent  # noqa: PLC0415  when needed

    return await metadata_of_intent(config, intent_id)


def owned(event: dict[str, object], metadata: dict[str, str]) -> dict[str, object]:
    """Return `event` with `metadata` in the place of its own."""
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    own = about if isinstance(about, dict) else {}
    return {**event, "data": {"object": {**own, "metadata": metadata}}}
