"""The drill's forged webhooks: those that are to be refused, and those that the secret signs."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from app.chaos import forged_webhooks
from app.chaos.instance import DrillError
from app.config import Config
from app.entrypoints.webhooks import WEBHOOKS, intent_of_unnamed
from app.gateways.provider import open_provider
from app.gateways.signature import BadSignature, verify
from app.local.simulators import provider
from tests.support.external_systems import listening, running
from workflows.payment import provider_messages as p

BILL = {
    "transaction_id": "o1",
    "amount_minor": 1_000,
    "currency": "GBP",
    "asked_at_ms": time.time_ns() // 1_000_000,
}
KINDS = {
    "payment_succeeded",
    "payment_failed",
    "payment_canceled",
    "refund_changed",
    "dispute_changed",
}


class Console:
    """A console that checks signatures, or is made to err."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.refused = 0
        self.answers: dict[bool, list[int]] = {True: [], False: []}
        """What it answers next, by whether the signature is right; then as it should."""

    async def take(self, request: web.Request) -> web.Response:
        """Answer a webhook."""
        body = await request.read()
        try:
            verify(
                request.headers["Stripe-Signature"],
                body,
                Config().provider_webhook_secret,
                time.time(),
            )
        except BadSignature:
            is_right = False
            self.refused += 1
        else:
            is_right = True
        planned = self.answers[is_right]
        status = planned.pop(0) if planned else (200 if is_right else 400)
        if is_right and status == 200:
            self.taken.append(json.loads(body))
        return web.Response(status=status)


@pytest.fixture
async def console() -> AsyncIterator[tuple[Console, str]]:
    """Run a console."""
    taking, app = Console(), web.Application()
    app.router.add_post("/webhooks/provider", taking.take)
    async with TestServer(app) as server:
        yield taking, str(server.make_url("")).rstrip("/")


async def at_once(condition: Callable[[], Awaitable[object]], _what: str) -> None:
    """Wait as a site does, without its pauses."""
    for _ in range(3):
        if await condition():
            return
    raise DrillError("not within three times")


def forge(config: Config) -> Awaitable[float]:
    """Send the webhooks of the drill, of one order that the provider knows and another one."""
    site: Any = SimpleNamespace(config=config, until_async=at_once)
    load: Any = SimpleNamespace(latest=lambda _count: ["o1", "o2"])
    none: Any = None
    return forged_webhooks.webhooks_forged(site, none, load, none)


async def test_what_the_secret_signs_names_what_the_provider_has(
    console: tuple[Console, str], tmp_path: Path
) -> None:
    """Each kind for each order, under an id of its own; what is not taken yet is sent again."""
    taking, url = console
    taking.answers[True] = [503]
    async with (
        listening() as other,
        running(provider.make_app, tmp_path, other.url) as system,
    ):
        ask = open_provider(system.config)
        [paid] = await ask(p.ChargeCard(**BILL, payment_method="pm_card_visa"))
        assert isinstance(paid, p.ChargeSucceeded)
        refund = p.RefundCharge(
            **BILL, payment_id=paid.payment_id, refund_key="compensation", attempt=1
        )
        [back] = await ask(refund)
        await ask.close()

        await forge(replace(system.config, console_url=url))

    assert isinstance(back, p.RefundSucceeded)
    assert 8 == taking.refused
    assert 10 == len({each["id"] for each in taking.taken}) == len(taking.taken)
    notices: dict[str, dict[str, Any]] = {"o1": {}, "o2": {}}
    for event in taking.taken:
        emission = WEBHOOKS[0].emission(event, system.config)
        assert emission is not None
        notified = emission.message
        assert isinstance(notified, p.ProviderNotified)
        notices[emission.transaction_id][notified.kind] = notified
    assert [KINDS, KINDS] == [set(each) for each in notices.values()]
    assert {paid.payment_id} == {each.payment_id for each in notices["o1"].values()}
    assert back.refund_id == notices["o1"]["refund_changed"].refund_id
    assert notices["o2"]["refund_changed"].refund_id.startswith("re_forged_")
    # Whose a dispute is says the intent, so the order that has one is meant.
    disputes = [each for each in taking.taken if each["type"] == "charge.dispute.created"]
    assert paid.payment_id == intent_of_unnamed(disputes[0])


@pytest.mark.parametrize(
    ("is_right", "status"),
    [
        pytest.param(False, 200, id="a wrong signature is taken"),
        pytest.param(True, 400, id="a right one is refused"),
    ],
)
async def test_a_console_that_answers_otherwise_is_a_breach(
    console: tuple[Console, str], tmp_path: Path, is_right: bool, status: int
) -> None:
    """The message names the answer."""
    taking, url = console
    taking.answers[is_right] = [status]
    async with (
        listening() as other,
        running(provider.make_app, tmp_path, other.url) as system,
    ):
        with pytest.raises(DrillError, match=f"was answered {status}"):
            await forge(replace(system.config, console_url=url))
