"""A shop that asks the provider's simulator through Stripe's own SDK."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe

from app.local.simulators.provider import make_app
from tests.support.external_systems import (
    TIMEOUT_SECONDS,
    WAIT_SECONDS,
    Console,
    System,
    listening,
    running,
)

SECRET = "whsec_payflow_local"  # noqa: S105  the simulator's own


class Shop:
    """The SDK's client of one provider."""

    def __init__(self, system: System, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self.http = stripe.AIOHTTPClient(timeout=timeout)
        self.system = system
        self.v1 = stripe.StripeClient(
            system.config.provider_key,
            base_addresses={"api": system.url},
            http_client=self.http,
            max_network_retries=0,
        ).v1

    async def create(self, order_id: str = "o1", key: str = "", **more: Any) -> Any:
        """Create an intent of 10.00."""
        params = {
            "amount": 1_000,
            "currency": "gbp",
            "payment_method": "pm_card_visa",
            "metadata": {"order_id": order_id},
        }
        options = {"idempotency_key": key or f"{order_id}:create"}
        return await self.v1.payment_intents.create_async({**params, **more}, options)

    async def confirm(self, intent_id: str, key: str, **params: Any) -> Any:
        """Confirm an intent."""
        options: Any = {"idempotency_key": key}
        return await self.v1.payment_intents.confirm_async(intent_id, params, options)

    async def refund(self, intent_id: str, key: str, **params: Any) -> Any:
        """Refund an intent."""
        options: Any = {"idempotency_key": key}
        return await self.v1.refunds.create_async({"payment_intent": intent_id, **params}, options)

    async def capture(self, intent_id: str, key: str, **params: Any) -> Any:
        """Capture what an intent holds."""
        options: Any = {"idempotency_key": key}
        return await self.v1.payment_intents.capture_async(intent_id, params, options)

    async def retrieve(self, intent_id: str, *expand: str) -> Any:
        """Return an intent as it is now."""
        params: Any = {"expand": list(expand)} if expand else {}
        return await self.v1.payment_intents.retrieve_async(intent_id, params)

    async def later(self, seconds: int) -> None:
        """Move the provider's clock ahead."""
        await self.system.ask("PUT", "/_clock", json={"by_seconds": seconds})

    async def answer(self, url: str, outcome: str) -> aiohttp.ClientResponse:
        """Open the page of 3-D Secure as the customer, and send its form."""
        async with self.system.client.get(url) as page:
            text = await page.text()
        secret = re.search('name="client_secret" value="([^"]+)"', text)
        form = {"client_secret": secret[1] if secret else "", "outcome": outcome}
        return await self.system.client.post(url, data=form, allow_redirects=False)


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    """Run a console."""
    async with listening() as console:
        yield console


@pytest.fixture
async def shop(tmp_path: Path, console: Console) -> AsyncIterator[Shop]:
    """Run a provider, and open an SDK client of it."""
    async with running(make_app, tmp_path, console.url) as system, shopping(system) as shop:
        yield shop


@asynccontextmanager
async def shopping(system: System, timeout_seconds: float = WAIT_SECONDS) -> AsyncIterator[Shop]:
    """Open an SDK client of `system`."""
    shop = Shop(system, timeout_seconds)
    yield shop
    await shop.http.close_async()
