"""The gateway and the simulator's intents that wait for the customer, or for the provider."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import stripe
from msgspec.structs import replace

from app.config import Config
from app.gateways.provider import ProviderGateway, open_provider
from app.gateways.provider_waits import link_of
from app.local.simulators import provider
from tests.support.external_systems import listening, running, until
from tests.support.shop import Shop, shopping
from workflows.payment import provider_messages as p
from workflows.payment.action_messages import ChargeActionRequired, ChargeProcessing

ASKS, WORKS = "pm_card_authenticationRequired", "pm_card_processing"
BILL = {
    "transaction_id": "o1",
    "amount_minor": 1_000,
    "currency": "GBP",
    "payment_method": ASKS,
    "asked_at_ms": time.time_ns() // 1_000_000,
}
CHARGE = p.ChargeCard(**BILL)
INQUIRE = p.InquireCharge(**BILL, attempt=3)
VOID = p.VoidCharge(**BILL, attempt=4)


class Till:
    """A provider, the gateway to it, and the customer."""

    def __init__(self, shop: Shop, ask: ProviderGateway) -> None:
        self.shop = shop
        self.ask = ask

    async def received(self, command: Any) -> Any:
        """Return the one answer."""
        (answer,) = await self.ask(command)
        return answer


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    """Run a provider and open the gateway to it."""
    async with (
        listening() as console,
        running(provider.make_app, tmp_path, console.url) as system,
        shopping(system) as shop,
    ):
        ask = open_provider(system.config)
        yield Till(shop, ask)
        await ask.close()


async def test_the_customer_has_to_act_however_often_it_is_asked(till: Till) -> None:
    """No question confirms again: the link stays the same, and nothing is taken."""
    answers = [await till.received(each) for each in (CHARGE, CHARGE, INQUIRE)]

    assert [ChargeActionRequired] * 3 == [type(each) for each in answers]
    assert [0, 0, 3] == [each.attempt for each in answers]
    assert 1 == len({(each.url, each.payment_id, each.wait_seconds) for each in answers})
    assert answers[0].url.startswith(till.shop.system.url)
    assert 3_600 == answers[0].wait_seconds
    assert 0 == (await till.shop.system.state())["charges"]


@pytest.mark.parametrize(
    ("outcome", "kind", "reason"),
    [
        pytest.param("confirm", p.ChargeSucceeded, "", id="confirmed"),
        pytest.param(
            "fail", p.ChargeDeclined, "payment_intent_authentication_failure", id="not confirmed"
        ),
    ],
)
async def test_the_customer_acts(till: Till, outcome: str, kind: type, reason: str) -> None:
    """All that is asked afterwards says so, also the old command: a kept answer is of before."""
    required = await till.received(CHARGE)

    back = await till.shop.answer(required.url, outcome)

    answers = [await till.received(each) for each in (INQUIRE, CHARGE, VOID)]
    assert "/console/transactions/o1" in back.headers["Location"]
    assert [kind] * 3 == [type(each) for each in answers]
    assert {reason} == {getattr(each, "reason", "") for each in answers}


async def test_a_charge_that_waits_for_its_customer_can_be_voided(till: Till) -> None:
    """And the page leads nowhere then."""
    required = await till.received(CHARGE)

    voided = await till.received(VOID)

    page = await till.shop.answer(required.url, "confirm")
    assert p.ChargeVoided(transaction_id="o1", attempt=4) == voided
    assert (404, 0) == (page.status, (await till.shop.system.state())["charges"])


async def test_a_charge_is_processing_until_it_is_done(till: Till) -> None:
    """It cannot be voided meanwhile; nobody calls it unknown."""
    await till.shop.system.set(processing_seconds=0.3)
    bill = {**BILL, "payment_method": WORKS}
    asks = (p.ChargeCard(**bill), p.VoidCharge(**bill, attempt=1))

    first, void = [await till.received(each) for each in asks]

    async def done() -> bool:
        last = await till.received(p.InquireCharge(**bill, attempt=2))
        return isinstance(last, p.ChargeSucceeded)

    await until(done)
    assert (ChargeProcessing, ChargeProcessing) == (type(first), type(void))
    assert 86_400 == first.wait_seconds


async def test_how_long_they_may_take_is_configured(till: Till) -> None:
    """Ten minutes for the customer."""
    ask = open_provider(replace(till.shop.system.config, action_seconds=600))

    (answer,) = await ask(CHARGE)

    await ask.close()
    assert 600 == answer.wait_seconds


async def test_a_confirmation_of_an_earlier_version_is_looked_at(till: Till) -> None:
    """It had no return_url: the key is taken, and the state of the intent is the answer."""
    about = {"metadata": {"order_id": "o1"}, "payment_method_types": ["card"]}
    intent = await till.shop.create(payment_method="pm_card_visa", **about)
    await till.shop.confirm(intent.id, "o1:confirm")

    answer = await till.received(replace(CHARGE, payment_method="pm_card_visa"))

    assert p.ChargeSucceeded is type(answer)
    assert 1 == (await till.shop.system.state())["charges"]


async def test_one_question_costs_one_request(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """An intent found by its id is current, also a day later: it is not retrieved twice."""
    required = await till.received(CHARGE)
    requests: list[str] = []
    intents = till.ask._account.intents
    retrieve = intents.retrieve_async

    async def counted(intent_id: str) -> Any:
        requests.append(intent_id)
        return await retrieve(intent_id)

    monkeypatch.setattr(intents, "retrieve_async", counted)
    old = replace(INQUIRE, asked_at_ms=0, payment_id=required.payment_id)

    answer = await till.received(old)

    assert ChargeActionRequired is type(answer)
    assert [required.payment_id] == requests


@pytest.mark.parametrize(
    ("url", "link"),
    [
        pytest.param("https://hooks.stripe.com/a", "https://hooks.stripe.com/a", id="a page"),
        pytest.param("http://127.0.0.1:8701/a", "http://127.0.0.1:8701/a", id="of this machine"),
        pytest.param("http://bank.example/a", "", id="not encrypted"),
        pytest.param("javascript:alert(1)", "", id="a script"),
        pytest.param("http://[", "", id="what cannot be parsed"),
        pytest.param(f"https://bank.example/{'x' * 3_000}", "", id="longer than any"),
        pytest.param("", "", id="none"),
    ],
)
def test_a_customer_is_sent_to_pages_only(url: str, link: str) -> None:
    """What is not a page of the bank is not shown to anybody."""
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
    intent = stripe.PaymentIntent.construct_from({"id": "pi", "next_action": action}, "key")

    assert link == link_of(intent)


def test_the_times_have_limits() -> None:
    """An hour for the customer, a day for the provider, unless somebody says otherwise."""
    assert (3_600, 86_400) == (Config().action_seconds, Config().processing_seconds)
