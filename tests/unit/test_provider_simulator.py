"""The provider simulator, asked by the official SDK: Stripe's semantics, and the faults on top."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import stripe

from app.gateways.signature import BadSignature, verify
from app.local.simulators.faults import ProviderFaults, pick, strikes
from app.local.simulators.provider import make_app
from app.wire.signing import ROWS_PASS
from tests.support.external_systems import (
    TIMEOUT_SECONDS,
    Console,
    System,
    running,
    until,
)
from tests.support.shop import SECRET, Shop, shopping


@pytest.fixture
async def system(tmp_path: Path, console: Console) -> AsyncIterator[System]:
    """Run a provider."""
    async with running(make_app, tmp_path, console.url) as system:
        yield system


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    """Open an SDK client."""
    async with shopping(system, TIMEOUT_SECONDS) as shop:
        yield shop


async def test_a_confirmed_intent_has_charged_once(shop: Shop) -> None:
    """Create, confirm, retrieve: one charge, and the intent says so."""
    created = await shop.create()
    confirmed = await shop.confirm(created.id, "o1:confirm")
    answer = await shop.v1.payment_intents.retrieve_async(created.id)
    state = await shop.system.state()

    assert ("requires_confirmation", 0) == (created.status, created.amount_received)
    assert ("succeeded", 1_000, "o1") == (
        confirmed.status,
        answer.amount_received,
        answer.metadata["order_id"],
    )
    assert (1, 1_000, 0) == (state["charges"], state["charged_minor"], state["refunded_minor"])


async def test_an_intent_can_be_created_and_confirmed_at_once(shop: Shop) -> None:
    """With confirm, one request charges."""
    created = await shop.create(confirm=True)

    assert "succeeded" == created.status
    assert 1 == (await shop.system.state())["charges"]


@pytest.mark.parametrize(
    ("method", "why"),
    [
        pytest.param("pm_card_chargeDeclined", "generic_decline", id="declined"),
        pytest.param("pm_card_visa_chargeDeclined", "generic_decline", id="declined visa"),
        pytest.param(
            "pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds", id="no funds"
        ),
    ],
)
async def test_a_declined_card_takes_no_money(shop: Shop, method: str, why: str) -> None:
    """A declining test token is a 402 with its code, and the intent remembers why."""
    created = await shop.create(payment_method=method)

    with pytest.raises(stripe.CardError) as declined:
        await shop.confirm(created.id, "o1:confirm")

    answer = await shop.v1.payment_intents.retrieve_async(created.id)
    assert (402, "card_declined") == (declined.value.http_status, declined.value.code)
    assert declined.value.error is not None
    assert why == declined.value.error.decline_code
    assert created.id == declined.value.error.payment_intent.id
    assert ("requires_payment_method", why) == (
        answer.status,
        answer.last_payment_error.decline_code,
    )
    assert 0 == (await shop.system.state())["charges"]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        pytest.param("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        pytest.param("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        pytest.param("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
async def test_some_declines_have_a_code_of_their_own(
    shop: Shop, method: str, code: str, decline_code: str
) -> None:
    """By Stripe's table of test cards."""
    with pytest.raises(stripe.CardError) as declined:
        await shop.create(payment_method=method, confirm=True)

    assert declined.value.error is not None
    assert (code, decline_code) == (declined.value.code, declined.value.error.decline_code)


async def test_another_card_may_pay_after_a_decline(shop: Shop) -> None:
    """A declined intent is still open for a card that works."""
    created = await shop.create(payment_method="pm_card_chargeDeclined")
    with pytest.raises(stripe.CardError):
        await shop.confirm(created.id, "first")

    paid = await shop.confirm(created.id, "second", payment_method="pm_card_visa")

    assert ("succeeded", None) == (paid.status, paid.last_payment_error)


async def test_a_canceled_intent_never_charges(shop: Shop) -> None:
    """Confirming after a cancel is refused, with the intent in the answer."""
    created = await shop.create()
    canceled = await shop.v1.payment_intents.cancel_async(created.id)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.confirm(created.id, "o1:confirm")

    assert "canceled" == canceled.status
    assert "payment_intent_unexpected_state" == refused.value.code
    assert 0 == (await shop.system.state())["charges"]


async def test_a_charged_intent_cannot_be_canceled_nor_charged_again(shop: Shop) -> None:
    """After success both are refused under any key."""
    created = await shop.create(confirm=True)

    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.payment_intents.cancel_async(created.id)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.confirm(created.id, "another key")

    assert 1 == (await shop.system.state())["charges"]


async def test_the_books_refuse_a_second_charge_of_an_intent(shop: Shop, tmp_path: Path) -> None:
    """It is the file that says no, not only the code above it."""
    created = await shop.create(confirm=True)

    with (
        closing(sqlite3.connect(tmp_path / "provider.sqlite")) as books,
        pytest.raises(sqlite3.IntegrityError, match="intent_id"),
    ):
        books.execute(
            "INSERT INTO charges (id, intent_id, order_id, amount_minor, currency, created_ms)"
            " VALUES ('ch_2', ?, 'o1', 1, 'gbp', 1)",
            (created.id,),
        )


async def test_the_same_key_replays_the_answer(shop: Shop) -> None:
    """Asked again with the same parameters: the same intent, marked as a replay."""
    first = await shop.create()
    again = await shop.create()
    headers = again.last_response.headers

    assert first.id == again.id
    assert ("true", None) == (
        headers.get("Idempotent-Replayed"),
        first.last_response.headers.get("Idempotent-Replayed"),
    )
    assert 1 == (await shop.system.state())["intents"]


async def test_a_decline_is_replayed_too(shop: Shop) -> None:
    """A stored 402 answers the same key, even when the fault that made it is over."""
    created = await shop.create()
    await shop.system.set(decline=1.0)
    with pytest.raises(stripe.CardError):
        await shop.confirm(created.id, "o1:confirm")
    await shop.system.set(decline=0.0)

    with pytest.raises(stripe.CardError) as declined:
        await shop.confirm(created.id, "o1:confirm")

    assert "true" == declined.value.headers["Idempotent-Replayed"]


async def test_the_same_key_with_other_parameters_is_an_error(shop: Shop) -> None:
    """Stripe's idempotency_error: 400, nothing happens."""
    await shop.create(key="k")

    with pytest.raises(stripe.IdempotencyError) as conflict:
        await shop.create(key="k", amount=2_000)

    assert 400 == conflict.value.http_status
    assert 1 == (await shop.system.state())["intents"]


async def test_the_same_key_on_another_path_is_an_error(shop: Shop) -> None:
    """A key belongs to one request, not to one set of parameters."""
    one, two = await shop.create("o1"), await shop.create("o2")
    await shop.confirm(one.id, "k")

    with pytest.raises(stripe.IdempotencyError):
        await shop.confirm(two.id, "k")


async def test_a_key_in_use_is_a_conflict(shop: Shop) -> None:
    """While the first request runs, a second one with its key is a 409; then it replays."""
    created = await shop.create()
    await shop.system.set(slow=1.0, slow_seconds=0.2)

    answers = await asyncio.gather(
        *(shop.confirm(created.id, "k") for _ in range(3)), return_exceptions=True
    )
    replayed = await shop.confirm(created.id, "k")

    failed = [each for each in answers if isinstance(each, stripe.StripeError)]
    assert [409, 409] == [each.http_status for each in failed]
    assert "succeeded" == replayed.status
    assert 1 == (await shop.system.state())["charges"]


async def test_a_bad_parameter_is_not_kept_under_the_key(shop: Shop) -> None:
    """What never began to run stores nothing: the corrected request may use the key."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.create(key="k", amount=0)

    created = await shop.create(key="k")

    assert "amount" == refused.value.param
    assert 1_000 == created.amount


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        pytest.param({"amount": -1}, "amount", id="negative amount"),
        pytest.param({"amount": "ten"}, "amount", id="amount is not a number"),
        pytest.param({"amount": "9" * 30}, "amount", id="huge amount"),
        pytest.param({"currency": "pounds"}, "currency", id="unknown currency"),
        pytest.param({"payment_method": "4242424242424242"}, "payment_method", id="card number"),
        pytest.param({"metadata": {str(n): "x" for n in range(51)}}, "metadata", id="metadata"),
    ],
)
async def test_bad_input_names_the_parameter(shop: Shop, wrong: dict[str, Any], param: str) -> None:
    """A 400 in Stripe's shape says which parameter is of no use."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.create(**wrong)

    assert (400, param) == (refused.value.http_status, refused.value.param)
    assert 0 == (await shop.system.state())["intents"]


async def test_only_the_key_holder_is_let_in(system: System) -> None:
    """Without the secret key every API path is a 401."""
    wrong = {"Authorization": "Bearer sk_test_other"}

    assert 401 == (await system.ask("GET", "/v1/payment_intents/pi_1"))[0]
    assert 401 == (await system.ask("POST", "/v1/refunds", headers=wrong))[0]
    assert (200, {"status": "ok"}) == await system.ask("GET", "/livez")


async def test_an_unknown_intent_is_not_found(shop: Shop) -> None:
    """A 404 with Stripe's code."""
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await shop.v1.payment_intents.retrieve_async("pi_none")

    assert (404, "resource_missing") == (missing.value.http_status, missing.value.code)


async def test_intents_are_found_by_order(shop: Shop) -> None:
    """Search and list find the intents of one order, odd characters included."""
    odd = "o'1\\x"
    intent = await shop.create(odd)
    await shop.create("o2")
    escaped = odd.replace("\\", "\\\\").replace("'", "\\'")

    matches = await shop.v1.payment_intents.search_async(
        {"query": f"metadata['order_id']:'{escaped}'"}
    )
    listed = await shop.v1.payment_intents.list_async({"metadata": {"order_id": odd}})  # type: ignore[typeddict-unknown-key]

    assert [intent.id] == [each.id for each in matches.data]
    assert [intent.id] == [each.id for each in listed.data]


async def test_long_lists_come_in_pages(shop: Shop) -> None:
    """The SDK's paging meets every intent once, newest first."""
    created_ids = [(await shop.create(f"o{n}")).id for n in range(5)]

    first = await shop.v1.payment_intents.list_async({"limit": 2})
    ids = [each.id async for each in first.auto_paging_iter()]

    assert created_ids[::-1] == ids


async def test_refunds_never_exceed_the_charge(shop: Shop) -> None:
    """Parts may go back until nothing is left; one penny more is refused and changes nothing."""
    intent = await shop.create(confirm=True)
    part = await shop.refund(intent.id, "r1", amount=400, metadata={"refund_key": "a"})

    with pytest.raises(stripe.InvalidRequestError) as beyond:
        await shop.refund(intent.id, "r2", amount=601)
    rest = await shop.refund(intent.id, "r3")
    with pytest.raises(stripe.InvalidRequestError) as empty:
        await shop.refund(intent.id, "r4", amount=1)

    listed = await shop.v1.refunds.list_async({"payment_intent": intent.id})
    answer = await shop.v1.refunds.retrieve_async(part.id)
    assert (400, 600) == (part.amount, rest.amount)
    assert ("amount", "charge_already_refunded") == (beyond.value.param, empty.value.code)
    assert [rest.id, part.id] == [each.id for each in listed.data]
    assert "a" == answer.metadata["refund_key"]
    assert 1_000 == (await shop.system.state())["refunded_minor"]


async def test_refunds_side_by_side_never_exceed_the_charge(shop: Shop) -> None:
    """Ten at once for a fifth each: five succeed."""
    intent = await shop.create(confirm=True)

    answers = await asyncio.gather(
        *(shop.refund(intent.id, f"r{n}", amount=200) for n in range(10)), return_exceptions=True
    )

    assert 5 == sum(isinstance(each, stripe.Refund) for each in answers)
    assert 1_000 == (await shop.system.state())["refunded_minor"]


async def test_what_was_not_charged_cannot_be_refunded(shop: Shop) -> None:
    """An open intent has nothing to refund."""
    intent = await shop.create()

    with pytest.raises(stripe.InvalidRequestError):
        await shop.refund(intent.id, "r1", amount=1)

    assert 0 == (await shop.system.state())["refunds"]


async def test_an_error_before_the_effect_leaves_the_key_free(shop: Shop) -> None:
    """500 and no charge; the same key then charges."""
    intent = await shop.create()
    await shop.system.set(error_before=1.0)
    with pytest.raises(stripe.APIError) as failed:
        await shop.confirm(intent.id, "k")
    charges_before = (await shop.system.state())["charges"]
    await shop.system.set(error_before=0.0)

    paid = await shop.confirm(intent.id, "k")

    assert (500, 0, "succeeded") == (failed.value.http_status, charges_before, paid.status)


async def test_an_error_after_the_effect_is_replayed_for_ever(shop: Shop) -> None:
    """500 though the card was charged: the key says 500 again, the intent shows the truth."""
    intent = await shop.create()
    await shop.system.set(error_after=1.0)
    with pytest.raises(stripe.APIError):
        await shop.confirm(intent.id, "k")
    await shop.system.set(error_after=0.0)

    with pytest.raises(stripe.APIError) as again:
        await shop.confirm(intent.id, "k")

    answer = await shop.v1.payment_intents.retrieve_async(intent.id)
    assert "true" == again.value.headers["Idempotent-Replayed"]
    assert ("succeeded", 1) == (answer.status, (await shop.system.state())["charges"])


async def test_a_time_out_is_before_or_after_the_effect(shop: Shop) -> None:
    """No answer reaches the client; some of the charges happened and some did not."""
    intents = [await shop.create(f"o{n}") for n in range(12)]
    await shop.system.set(timeout=1.0, seed=7)

    answers = await asyncio.gather(
        *(shop.confirm(each.id, f"{each.id}:k") for each in intents), return_exceptions=True
    )

    charges = (await shop.system.state())["charges"]
    assert [True] * 12 == [isinstance(each, stripe.APIConnectionError) for each in answers]
    assert 0 < charges < 12
    await shop.system.set(timeout=0.0)
    again = [await shop.confirm(each.id, f"{each.id}:k") for each in intents]
    assert {"succeeded"} == {each.status for each in again}
    assert 12 == (await shop.system.state())["charges"]


async def test_faults_strike_refunds_too(shop: Shop) -> None:
    """A 500 after refunding: the money went back once, and the list shows it."""
    intent = await shop.create(confirm=True)
    await shop.system.set(error_after=1.0)

    with pytest.raises(stripe.APIError):
        await shop.refund(intent.id, "r1", amount=300, metadata={"refund_key": "a"})

    listed = await shop.v1.refunds.list_async({"payment_intent": intent.id})
    assert [("a", 300)] == [(each.metadata["refund_key"], each.amount) for each in listed.data]


async def test_faults_leave_creating_and_reading_alone(shop: Shop) -> None:
    """Only what moves money meets faults."""
    await shop.system.set(error_before=1.0)

    intent = await shop.create()
    answer = await shop.v1.payment_intents.retrieve_async(intent.id)

    assert intent.id == answer.id


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param(b'{"decline": 1.5}', "decline", id="a rate above one"),
        pytest.param(b'{"timeout": -0.1}', "timeout", id="a rate below zero"),
        pytest.param(b'{"slow_seconds": "long"}', "slow_seconds", id="no number"),
        pytest.param(b'{"refuse": 0.5}', "refuse", id="a fault of another system"),
        pytest.param(b"[]", "body", id="no object"),
        pytest.param(b"{", "body", id="no JSON"),
        pytest.param(b'{"decline": NaN}', "body", id="not a number"),
    ],
)
async def test_bad_faults_name_the_field(system: System, body: bytes, param: str) -> None:
    """A 400 says which field is of no use, and nothing changes."""
    before = await system.ask("GET", "/_faults")

    status, emitted = await system.ask("PUT", "/_faults", data=body)

    assert (400, param) == (status, emitted["error"]["param"])
    assert before == await system.ask("GET", "/_faults")


async def test_faults_are_set_one_by_one_and_ended_together(system: System) -> None:
    """PUT keeps what it does not name; DELETE ends all."""
    await system.set(decline=0.2)
    await system.set(slow=0.1)
    _, faults = await system.ask("GET", "/_faults")

    _, none = await system.ask("DELETE", "/_faults")

    assert (0.2, 0.1) == (faults["decline"], faults["slow"])
    assert msgspec.to_builtins(ProviderFaults()) == none


def test_the_same_seed_meets_the_same_faults() -> None:
    """Chance follows from seed, key and attempt: repeatable, and near its rate."""
    faults = ProviderFaults(decline=0.2, error_after=0.1, timeout=0.1, seed=1)
    other = ProviderFaults(decline=0.2, error_after=0.1, timeout=0.1, seed=2)
    keys = [f"o{n}" for n in range(5_000)]
    picks = [pick(faults, key, 0) for key in keys]

    assert picks == [pick(faults, key, 0) for key in keys]
    assert picks != [pick(other, key, 0) for key in keys]
    assert picks != [pick(faults, key, 1) for key in keys]
    assert 0.17 < sum(strikes(faults, "decline", key) for key in keys) / 5_000 < 0.23
    assert {"", "error_after", "timeout_before", "timeout_after"} == set(picks)


async def test_a_webhook_is_signed_and_carries_the_intent(shop: Shop, console: Console) -> None:
    """Stripe's own verification accepts it; the intent inside names the order."""
    intent = await shop.create(confirm=True)
    await until(lambda: len(console.received) == 1)
    header, body = console.received[0]

    event = stripe.Webhook.construct_event(body, header, SECRET)
    verify(header, body, SECRET, time.time())

    assert "payment_intent.succeeded" == event.type
    assert (intent.id, "o1") == (event.data.object.id, event.data.object.metadata["order_id"])


async def test_a_forged_webhook_is_recognised(shop: Shop, console: Console) -> None:
    """Another body, another secret or an old one is refused."""
    await shop.create(confirm=True)
    await until(lambda: len(console.received) == 1)
    header, body = console.received[0]

    for forged in (
        (header, body.replace(b"1000", b"9000"), SECRET, time.time()),
        (header, body, "whsec_other", time.time()),
        (header, body, SECRET, time.time() + 400),
    ):
        with pytest.raises(BadSignature):
            verify(*forged)


async def test_every_outcome_has_its_webhook(shop: Shop, console: Console) -> None:
    """Succeeded, failed and canceled each send a webhook."""
    await shop.create("o1", confirm=True)
    with pytest.raises(stripe.CardError):
        await shop.create("o2", confirm=True, payment_method="pm_card_chargeDeclined")
    await shop.v1.payment_intents.cancel_async((await shop.create("o3")).id)

    await until(lambda: len(console.notices) == 3)

    emitted = {
        each["data"]["object"]["metadata"]["order_id"]: each["type"] for each in console.notices
    }
    assert {
        "o1": "payment_intent.succeeded",
        "o2": "payment_intent.payment_failed",
        "o3": "payment_intent.canceled",
    } == emitted


async def test_a_webhook_is_tried_again_while_the_console_is_down(
    shop: Shop, console: Console
) -> None:
    """A 503 is not a delivery: the same event comes again, until it is taken."""
    console.status = 503
    await shop.create(confirm=True)
    await until(lambda: len(console.received) >= 2)
    console.status = 200

    async def delivered() -> bool:
        return (await shop.system.state())["webhooks_waiting"] == 0

    await until(delivered)
    assert 1 == len({each["id"] for each in console.notices})
    assert 1 == (await shop.system.state())["webhooks_delivered"]


async def test_a_doubled_webhook_is_one_event_twice(shop: Shop, console: Console) -> None:
    """The event id is the same: every consumer can recognise it."""
    await shop.system.set(webhook_doubled=1.0)
    await shop.create(confirm=True)

    await until(lambda: len(console.notices) == 2)

    assert 1 == len({each["id"] for each in console.notices})


async def test_a_lost_webhook_never_comes_and_a_late_one_does(shop: Shop, console: Console) -> None:
    """The lost one stays in the books; one emitted after the late one arrives before it."""
    await shop.system.set(webhook_lost=1.0)
    await shop.create("lost", confirm=True)
    await shop.system.set(webhook_lost=0.0, webhook_late=1.0, webhook_late_seconds=0.5)
    await shop.create("late", confirm=True)
    await shop.system.set(webhook_late=0.0)
    await shop.create("prompt", confirm=True)

    await until(lambda: len(console.notices) == 2)

    emitted = [each["data"]["object"]["metadata"]["order_id"] for each in console.notices]
    assert ["prompt", "late"] == emitted

    async def delivered() -> bool:
        # The answer to the last one is noted after it has arrived.
        return (await shop.system.state())["webhooks_waiting"] == 0

    await until(delivered)


async def test_a_restart_keeps_everything(tmp_path: Path, console: Console) -> None:
    """Charges, kept answers and webhooks that wait are there after a restart."""
    console.status = 503
    async with running(make_app, tmp_path, console.url) as system:
        shop = Shop(system)
        intent = await shop.create(confirm=True)
        await shop.http.close_async()
        await until(lambda: len(console.received) >= 1)
    console.status = 200
    received = len(console.received)

    async with running(make_app, tmp_path, console.url) as system:
        shop = Shop(system)
        again = await shop.create(confirm=True)
        await until(lambda: len(console.received) > received)
        state = await system.state()
        await shop.http.close_async()

    assert (intent.id, "succeeded") == (again.id, again.status)
    assert (1, 1_000) == (state["charges"], state["charged_minor"])


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """The real process, killed with -9: every charge that it answered is in its file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "PAYFLOW_DATA_DIR": str(tmp_path),
        "PAYFLOW_PROVIDER_PORT": str(port),
        "PAYFLOW_CONSOLE_URL": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "app.local.simulators.provider"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE) as process:  # noqa: ASYNC220  it is ours
        try:
            emitted = await _charge_until_killed(f"http://127.0.0.1:{port}", process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()

    with closing(sqlite3.connect(tmp_path / "provider.sqlite")) as books:
        charged_ids = {row[0] for row in books.execute("SELECT order_id FROM charges")}
        twice = books.execute(
            "SELECT order_id FROM charges GROUP BY order_id HAVING count(*) > 1"
        ).fetchall()
    assert emitted
    assert set() == emitted - charged_ids
    assert [] == twice


async def _charge_until_killed(url: str, process: subprocess.Popen[bytes]) -> set[str]:
    """Charge orders side by side, kill the process amidst; return the orders emitted as charged."""
    emitted: set[str] = set()
    headers = {"Authorization": "Bearer sk_test_payflow"}
    async with aiohttp.ClientSession(headers=headers) as client:

        async def alive() -> bool:
            with suppress(aiohttp.ClientError):
                async with client.get(f"{url}/livez") as answer:
                    return answer.status == 200
            return False

        async def charge(order_id: str) -> None:
            body = {
                "amount": "500",
                "currency": "gbp",
                "payment_method": "pm_card_visa",
                "metadata[order_id]": order_id,
                "confirm": "true",
            }
            with suppress(aiohttp.ClientError):
                async with client.post(f"{url}/v1/payment_intents", data=body) as answer:
                    if answer.status == 200:
                        emitted.add(order_id)
                        if len(emitted) == 60:
                            process.send_signal(signal.SIGKILL)

        await until(alive)
        await asyncio.gather(*(charge(f"o{n}") for n in range(200)))
    return emitted


async def test_switches_are_for_the_instance_alone(system: System) -> None:
    """The key of the provider's API moves no clock either."""
    headers = {"Authorization": f"Bearer {system.config.provider_key}", ROWS_PASS: ""}
    calls = (("PUT", "/_clock"), ("PUT", "/_faults"), ("GET", "/_state"))
    for method, path in calls:
        answer = await system.ask(method, path, json={"by_seconds": 5}, headers=headers)
        assert 403 == answer[0], (method, path)

    assert 200 == (await system.ask("PUT", "/_clock", json={"by_seconds": 5}))[0]
