"""Holds and captures through the gateway, against the provider's simulator."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from app.config import Config
from app.gateways.provider import ProviderGateway, open_provider
from app.local.simulators import provider
from tests.support.external_systems import System, listening, running
from workflows.payment import provider_messages as p
from workflows.payment.provider_capture_messages import (
    CaptureCharge,
    CaptureRefused,
    CaptureUnknown,
    ChargeAuthorized,
    ChargeCaptured,
)

NOW_MS = time.time_ns() // 1_000_000
WEEK_SECONDS = 7 * 86_400
DAY_AND_HOUR_SECONDS = 25 * 3_600
BILL = {
    "transaction_id": "o1",
    "amount_minor": 1_000,
    "currency": "GBP",
    "payment_method": "pm_card_visa",
    "capture": "manual",
    "asked_at_ms": NOW_MS,
}
CHARGE = p.ChargeCard(**BILL)
INQUIRE = p.InquireCharge(**BILL, attempt=3)
VOID = p.VoidCharge(**BILL, attempt=4)
VOIDED = p.ChargeVoided(transaction_id="o1", attempt=4, held_minor=1_000)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Till:
    """A provider and the gateway to it."""

    def __init__(self, system: System, ask: ProviderGateway) -> None:
        self.system = system
        self.ask = ask

    async def received(self, command: Any) -> Any:
        """Return the one answer."""
        (answer,) = await self.ask(command)
        return answer

    async def held(self) -> CaptureCharge:
        """Hold the money; return the command that takes it."""
        answer = await self.received(CHARGE)
        assert isinstance(answer, ChargeAuthorized)
        return CaptureCharge(
            transaction_id="o1",
            payment_id=answer.payment_id,
            amount_minor=1_000,
            currency="GBP",
            payment_method="pm_card_visa",
            attempt=0,
            asked_at_ms=NOW_MS,
        )

    async def pass_week(self) -> None:
        """Move the provider's clock behind the end of every hold."""
        ahead = {"by_seconds": WEEK_SECONDS + 60}
        await self.system.ask("PUT", "/_clock", json=ahead)

    async def charged_minor(self) -> int:
        """Return what the provider has taken."""
        return (await self.system.state())["charged_minor"]


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    """Run a provider and open the gateway to it."""
    async with (
        listening() as console,
        running(provider.make_app, tmp_path, console.url) as system,
    ):
        # A machine under load answers late: that is not what is tested here.
        ask = open_provider(replace(system.config, provider_timeout_seconds=10.0))
        yield Till(system, ask)
        await ask.close()


async def test_money_is_held_and_then_taken_once(till: Till) -> None:
    """However often it is asked; what is held says until when."""
    capture = await till.held()
    again = await till.received(INQUIRE)
    before = await till.charged_minor()
    captures = [await till.received(replace(capture, attempt=attempt)) for attempt in (0, 1)]
    old = await till.received(replace(capture, asked_at_ms=1))
    charge = await till.received(INQUIRE)

    assert isinstance(again, ChargeAuthorized)
    assert (1_000, "GBP", 3) == (again.amount_minor, again.currency, again.attempt)
    assert abs(again.capture_before_ms - NOW_MS - WEEK_SECONDS * 1_000) < 3_600_000
    assert 0 == before
    expected = ChargeCaptured(
        transaction_id="o1", payment_id=capture.payment_id, amount_minor=1_000, currency="GBP"
    )
    assert [expected] * 3 == [*captures, old]
    assert isinstance(charge, p.ChargeSucceeded)
    assert 1_000 == await till.charged_minor()


@pytest.mark.parametrize(
    "is_taken", [pytest.param(True, id="taken already"), pytest.param(False, id="still held")]
)
async def test_a_day_later_the_provider_is_asked_before_anything_is_taken(
    tmp_path: Path, *, is_taken: bool
) -> None:
    """It has forgotten the keys by then: what it says that it has taken is not posted again."""
    captures: list[str] = []

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path.endswith("/capture"):
            captures.append(request.path)
        return await handler(request)

    def counting(config: Config) -> web.Application:
        app = provider.make_app(config)
        app.middlewares.append(count)
        return app

    async with listening() as console, running(counting, tmp_path, console.url) as system:
        ask = open_provider(replace(system.config, provider_timeout_seconds=10.0))
        till = Till(system, ask)
        capture = await till.held()
        if is_taken:
            assert isinstance(await till.received(capture), ChargeCaptured)
        await system.ask("PUT", "/_clock", json={"by_seconds": DAY_AND_HOUR_SECONDS})
        before = len(captures)
        late = replace(capture, attempt=1, asked_at_ms=NOW_MS - DAY_AND_HOUR_SECONDS * 1_000)
        answer = await till.received(late)
        taken_minor = await till.charged_minor()
        await ask.close()

    assert isinstance(answer, ChargeCaptured)
    assert 1_000 == taken_minor
    assert (int(is_taken), 1) == (before, len(captures))


async def test_what_is_held_is_let_go_and_cannot_be_taken_then(till: Till) -> None:
    """A void of a hold moves no money, and ends it."""
    capture = await till.held()

    voided = await till.received(VOID)
    refused = await till.received(capture)

    assert VOIDED == voided
    assert isinstance(refused, CaptureRefused)
    assert refused.is_void
    assert 0 == await till.charged_minor()


async def test_what_was_taken_cannot_be_let_go(till: Till) -> None:
    """The answer to a void says so instead."""
    await till.received(await till.held())

    assert isinstance(await till.received(VOID), p.ChargeSucceeded)


async def test_a_hold_that_has_ended_is_charged_anew_when_an_operator_asks(till: Till) -> None:
    """In round 0 it is refused; in a later one the card is charged, once."""
    capture = await till.held()
    await till.pass_week()

    refused = await till.received(capture)
    anew = [
        await till.received(replace(capture, round=number, attempt=attempt))
        for number, attempt in ((1, 1), (1, 2), (2, 3))
    ]

    assert isinstance(refused, CaptureRefused)
    assert (True, "automatic") == (refused.is_void, refused.reason)
    assert [ChargeCaptured] * 3 == [type(each) for each in anew]
    assert 1 == len({each.payment_id for each in anew})
    assert capture.payment_id != anew[0].payment_id
    assert 1_000 == await till.charged_minor()


async def test_a_card_that_does_not_pay_any_more_is_refused(till: Till) -> None:
    """The customer is not there to confirm."""
    capture = await till.held()
    await till.pass_week()
    lost = replace(capture, round=1, payment_method="pm_card_visa_chargeDeclinedLostCard")

    answer = await till.received(lost)

    assert isinstance(answer, CaptureRefused)
    assert ("lost_card", 1) == (answer.reason, answer.round)


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
async def test_trouble_is_an_answer_and_asking_again_takes_the_money_once(
    till: Till, fault: str
) -> None:
    """A kept 500 is not repeated for ever."""
    capture = await till.held()
    await till.system.set(**{fault: 1.0})
    first = await till.received(capture)
    await till.system.set(**{fault: 0.0})

    second = await till.received(replace(capture, attempt=1))

    assert isinstance(first, CaptureUnknown | ChargeCaptured)
    assert isinstance(second, ChargeCaptured)
    assert 1_000 == await till.charged_minor()


async def test_less_than_the_smallest_charge_is_neither_held_nor_taken(till: Till) -> None:
    """docs.stripe.com/currencies, minimum charge amounts: 0.30 GBP; the provider says why."""
    declined = await till.received(replace(CHARGE, transaction_id="o2", amount_minor=29))
    capture = await till.held()

    refused = await till.received(replace(capture, amount_minor=29))
    answer = await till.received(replace(capture, amount_minor=30, attempt=1))

    assert isinstance(declined, p.ChargeDeclined)
    assert "amount_too_small" == declined.reason
    assert isinstance(refused, CaptureRefused)
    assert ("amount_too_small", False) == (refused.reason, refused.is_void)
    assert isinstance(answer, ChargeCaptured)
    assert 30 == answer.amount_minor
