"""Webhooks that the provider has not sent: with wrong signatures, and with the right secret."""

import time
from collections.abc import Iterator
from random import Random

import aiohttp
import msgspec

from app.chaos.instance import DrillError, Site
from app.chaos.load import Load
from app.chaos.plan import Step
from app.config import Config
from app.gateways.signature import TOLERANCE_SECONDS, sign
from workflows.shared.provider_metadata import metadata_of, owner_of

ORDERS = 10
"""Of the latest ones, and of those with a refund."""
LISTED = 100
"""The newest intents and refunds of the provider whose ids are used; the others are invented."""
INTENT_CLAIMS = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
)


class ProviderIds(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider has of orders, by their ids."""

    intents: dict[str, str]
    refunds: dict[str, str]


async def webhooks_forged(site: Site, _step: Step, load: Load, _random: Random) -> float:
    """Send webhooks that the provider has not sent.

    Those with wrong or old signatures are refused. Whoever has the secret is answered as the
    provider is, and moves nothing by it: that is for `verify` to say.
    """
    async with aiohttp.ClientSession() as session:
        for order_id in load.latest(2 * ORDERS):
            await _send_unsigned(site, session, order_id)
        provider_ids = await _provider_ids(site.config, session)
        for order_id in dict.fromkeys([*load.latest(ORDERS), *list(provider_ids.refunds)[:ORDERS]]):
            for claim in claims(order_id, provider_ids, site.config.installation, time.time_ns()):
                await _send_signed(site, session, claim)
    return time.monotonic()


def claims(
    order_id: str, provider_ids: ProviderIds, installation: str, number: int
) -> Iterator[dict[str, object]]:
    """Yield events that say of an order what is not so; `number` makes their ids new."""
    payment_id = provider_ids.intents.get(order_id, f"pi_forged_{number}")
    refund_id = provider_ids.refunds.get(order_id, f"re_forged_{number}")
    about = {"amount": 1, "currency": "gbp", "metadata": metadata_of(order_id, installation)}
    of_payment = {**about, "payment_intent": payment_id}
    refused = {"last_payment_error": {"code": "card_declined", "decline_code": "lost_card"}}
    objects = {
        **{kind: {**about, "id": payment_id, **refused} for kind in INTENT_CLAIMS},
        "refund.failed": {**of_payment, "id": refund_id, "status": "failed"},
        "charge.dispute.created": {**of_payment, "id": f"du_forged_{number}", "status": "lost"},
    }
    for kind, claimed in objects.items():
        event_id = f"evt_forged_{number}_{kind}"
        created = number // 1_000_000_000
        yield {"id": event_id, "type": kind, "created": created, "data": {"object": claimed}}


async def _provider_ids(config: Config, session: aiohttp.ClientSession) -> ProviderIds:
    """Return the ids of the newest intents and refunds, by order."""
    ids_by_order: dict[str, dict[str, str]] = {}
    for name in ("payment_intents", "refunds"):
        url = f"{config.provider_url}/v1/{name}?limit={LISTED}"
        key = {"Authorization": f"Bearer {config.provider_key}"}
        async with session.get(url, headers=key) as answer:
            if not answer.ok:
                raise DrillError(f"the provider does not list its {name}: {answer.status}")
            listed = (await answer.json())["data"]
        owned = {owner_of(each["metadata"], config.installation): each["id"] for each in listed}
        ids_by_order[name] = {order_id: each for order_id, each in owned.items() if order_id}
    return ProviderIds(intents=ids_by_order["payment_intents"], refunds=ids_by_order["refunds"])


async def _send_unsigned(site: Site, session: aiohttp.ClientSession, order_id: str) -> None:
    """Send what is not signed rightly, and was not just now. Raises DrillError if it is taken."""
    secret, now = site.config.provider_webhook_secret, int(time.time())
    about = {"id": "pi_forged", "amount": 1, "metadata": {"order_id": order_id}}
    claim = {"id": "evt_forged", "type": INTENT_CLAIMS[0], "data": {"object": about}}
    body = msgspec.json.encode(claim)
    for signature in (
        sign(body, "another secret", now),
        sign(body, secret, now - TOLERANCE_SECONDS - 60),
        sign(b"other bytes", secret, now),
        "",
    ):
        status = await _answered(site.config, session, body, signature)
        if status != 400:  # noqa: PLR2004
            raise DrillError(f"a forged webhook was answered {status}")


async def _send_signed(
    site: Site, session: aiohttp.ClientSession, claim: dict[str, object]
) -> None:
    """Send what is signed rightly, until it is taken. Raises DrillError if it is refused."""
    body = msgspec.json.encode(claim)

    async def is_taken() -> bool:
        signature = sign(body, site.config.provider_webhook_secret, int(time.time()))
        status = await _answered(site.config, session, body, signature)
        if 300 <= status < 500:  # noqa: PLR2004
            raise DrillError(f"a signed webhook, {claim['type']}, was answered {status}")
        # The console asks the provider whose a dispute is: 5xx says that it is to come again.
        return status < 300  # noqa: PLR2004

    await site.until_async(is_taken, f"a signed webhook is taken: {claim['type']}")


async def _answered(
    config: Config, session: aiohttp.ClientSession, body: bytes, signature: str
) -> int:
    """Return the status with which the console answers a webhook."""
    headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
    url = f"{config.console_url}/webhooks/provider"
    async with session.post(url, data=body, headers=headers) as answer:
        return answer.status
