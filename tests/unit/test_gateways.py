"""The gateways against the real simulators: every outcome is a message."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import stripe
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from app.config import Config
from app.gateways import provider_account
from app.gateways.carrier import CarrierGateway, open_carrier
from app.gateways.provider import ProviderGateway, open_provider
from app.gateways.signature import BadSignature, sign, verify
from app.local.simulators import carrier, provider
from tests.support.external_systems import System, listening, running, until
from workflows.payment import provider_messages as p
from workflows.shipping import carrier_messages as c

BILL = {
    "transaction_id": "o1",
    "amount_minor": 1_000,
    "currency": "GBP",
    "payment_method": "pm_card_visa",
    "asked_at_ms": time.time_ns() // 1_000_000,
}
CHARGE = p.ChargeCard(**BILL)
INQUIRE = p.InquireCharge(**BILL, attempt=3)
VOID = p.VoidCharge(**BILL, attempt=4)
BOOK = c.BookShipment(order_id="o1", country="France", units=2, attempt=1)
WITHDRAW = c.WithdrawShipment(order_id="o1", attempt=2)
ASK_WHERE = c.InquireShipment(order_id="o1", attempt=3)
VOIDED = p.ChargeVoided(transaction_id="o1")


class Till:
    """A provider and the gateway to it."""

    def __init__(self, entity: System, ask: ProviderGateway) -> None:
        self.entity = entity
        self.ask = ask

    async def received(self, command: Any) -> Any:
        """Return the one answer."""
        (answer,) = await self.ask(command)
        return answer

    async def charges(self) -> int:
        """Return how often the provider took money."""
        return (await self.entity.state())["charges"]


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    """Run a provider and open the gateway to it."""
    async with (
        listening() as console,
        running(provider.make_app, tmp_path, console.url) as entity,
    ):
        ask = open_provider(entity.config)
        yield Till(entity, ask)
        await ask.close()


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[tuple[System, CarrierGateway]]:
    """Run a carrier whose shipments travel for long, and open the gateway to it."""
    async with listening() as console, running(carrier.make_app, tmp_path, console.url) as entity:
        await entity.set(deliver_seconds=60)
        ask = open_carrier(entity.config)
        yield entity, ask
        await ask.close()


def refund(
    payment_id: str, refund_key: str = "compensation", amount: int = 1_000
) -> p.RefundCharge:
    """Return the command that gives `amount` back."""
    return p.RefundCharge(
        transaction_id="o1",
        payment_id=payment_id,
        refund_key=refund_key,
        amount_minor=amount,
        currency="GBP",
        attempt=5,
        asked_at_ms=BILL["asked_at_ms"],
    )


# --- charging ------------------------------------------------------------------


async def test_a_charge_succeeds_once_however_often_it_is_asked(till: Till) -> None:
    """Charge, charge again, inquire, void: the same success, one charge."""
    answers = [await till.received(each) for each in (CHARGE, CHARGE, INQUIRE, VOID, CHARGE)]

    assert [p.ChargeSucceeded] * 5 == [type(each) for each in answers]
    assert 1 == len(set(answers))
    assert (1_000, 1) == (answers[0].amount_minor, await till.charges())


async def test_what_was_taken_is_what_the_answer_says(till: Till) -> None:
    """Not what was asked for: amount and currency are the provider's."""
    await till.entity.set(short=1.0)

    answer = await till.received(CHARGE)

    assert (999, "GBP") == (answer.amount_minor, answer.currency)
    assert 999 == (await till.entity.state())["charged_minor"]


@pytest.mark.parametrize(
    ("currency", "amount_minor", "charged"),
    [
        pytest.param("JPY", 1_250, 1_250, id="yen"),
        pytest.param("KWD", 1_230, 1_230, id="dinars"),
        pytest.param("ISK", 1_250, 125_000, id="two decimals that the krona does not have"),
        pytest.param("MGA", 1_200, 12, id="whole ariary"),
    ],
)
async def test_the_provider_is_asked_in_its_own_unit(
    till: Till, currency: str, amount_minor: int, charged: int
) -> None:
    """It books its own amount; the answers, and the refund, are in the unit of ISO 4217."""
    charge = replace(CHARGE, amount_minor=amount_minor, currency=currency)

    answer = await till.received(charge)
    back = await till.received(
        replace(refund(answer.payment_id, amount=amount_minor), currency=currency)
    )

    assert (amount_minor, currency) == (answer.amount_minor, answer.currency)
    assert amount_minor == back.amount_minor
    state = await till.entity.state()
    assert (charged, charged) == (state["charged_minor"], state["refunded_minor"])


async def test_an_amount_that_the_provider_does_not_take_is_never_asked(till: Till) -> None:
    """A charge is declined and a refund is refused, with the reason; nothing is rounded."""
    charge = replace(CHARGE, amount_minor=1_234, currency="KWD")

    declined = await till.received(charge)
    refused = await till.received(replace(refund("pi_1", amount=1_234), currency="KWD"))

    assert [p.ChargeDeclined, p.RefundRefused] == [type(declined), type(refused)]
    assert "steps of 0.010" in declined.reason
    assert declined.reason == refused.reason


async def test_a_charge_asked_side_by_side_charges_once(till: Till) -> None:
    """Five at once: whoever meets the key in use does not know, nobody charges twice."""
    answers = await asyncio.gather(*(till.received(CHARGE) for _ in range(5)))

    assert {p.ChargeSucceeded} >= {type(each) for each in answers} - {p.ChargeUnknown}
    assert 1 == await till.charges()


async def test_a_decline_is_the_same_answer_always(till: Till) -> None:
    """Declined stays declined, for whatever is asked."""
    bill = {**BILL, "payment_method": "pm_card_chargeDeclinedInsufficientFunds"}
    commands = (
        p.ChargeCard(**bill),
        p.ChargeCard(**bill),
        p.InquireCharge(**bill, attempt=1),
        p.VoidCharge(**bill, attempt=1),
    )

    answers = [await till.received(each) for each in commands]

    assert {(p.ChargeDeclined, "insufficient_funds")} == {(type(a), a.reason) for a in answers}
    assert 0 == await till.charges()


async def test_a_card_the_provider_does_not_know_is_declined(till: Till) -> None:
    """Refused before an intent exists: a no, not a failure."""
    bill = {**BILL, "payment_method": "tok_unheard_of"}

    answer = await till.received(p.ChargeCard(**bill))

    assert p.ChargeDeclined(transaction_id="o1", reason="resource_missing") == answer


async def test_a_voided_charge_can_never_happen(till: Till) -> None:
    """Void first, charge later: the intent is cancelled, also for the charge that comes late."""
    answers = [await till.received(each) for each in (VOID, CHARGE, INQUIRE, VOID)]

    assert [4, 0, 3, 4] == [each.attempt for each in answers]
    assert {VOIDED} == {replace(each, attempt=0) for each in answers}
    assert 0 == await till.charges()


async def test_an_error_before_the_charge_is_unknown_then_charged(till: Till) -> None:
    """500 without effect: unknown; the inquiry confirms with the same key."""
    await till.entity.set(error_before=1.0)
    unknown = await till.received(CHARGE)
    asked_again = await till.received(INQUIRE)
    await till.entity.set(error_before=0.0)

    answer = await till.received(INQUIRE)

    assert (p.ChargeUnknown, "500 APIError") == (type(unknown), unknown.reason)
    assert unknown.payment_id.startswith("pi_")
    assert (p.ChargeUnknown, 3) == (type(asked_again), asked_again.attempt)
    assert (p.ChargeSucceeded, 1) == (type(answer), await till.charges())


@pytest.mark.parametrize(
    "later", [pytest.param(INQUIRE, id="inquiry"), pytest.param(VOID, id="void")]
)
async def test_an_error_after_the_charge_is_unknown_then_found(till: Till, later: Any) -> None:
    """500 though it was charged: whoever asks later consumes that it succeeded."""
    await till.entity.set(error_after=1.0)

    unknown = await till.received(CHARGE)
    answer = await till.received(later)

    assert (p.ChargeUnknown, p.ChargeSucceeded) == (type(unknown), type(answer))
    assert 1 == await till.charges()


async def test_a_decline_behind_an_error_is_found(till: Till) -> None:
    """500 though the card was declined: the inquiry finds the decline."""
    await till.entity.set(error_after=1.0, decline=1.0)

    unknown = await till.received(CHARGE)
    answer = await till.received(INQUIRE)

    assert p.ChargeUnknown is type(unknown)
    assert (p.ChargeDeclined, "generic_decline", 3) == (type(answer), answer.reason, answer.attempt)


async def test_time_outs_end_in_exactly_one_charge(till: Till) -> None:
    """Before or after the effect: unknown; once the fault is over, each order has one charge."""
    await till.entity.set(timeout=1.0)
    orders = [{**BILL, "transaction_id": f"o{n}"} for n in range(8)]
    unknown = await asyncio.gather(*(till.received(p.ChargeCard(**each)) for each in orders))
    charged_early = await till.charges()
    await till.entity.set(timeout=0.0)

    answers = [await till.received(p.InquireCharge(**each, attempt=1)) for each in orders]

    assert {(p.ChargeUnknown, "no answer in time")} == {(type(u), u.reason) for u in unknown}
    assert {p.ChargeSucceeded} == {type(each) for each in answers}
    assert 0 < charged_early < 8
    assert 8 == await till.charges()


async def test_an_unknown_charge_that_never_happened_can_be_voided(till: Till) -> None:
    """500 before the effect, then void: cancelled, and a late confirmation finds it so."""
    await till.entity.set(error_before=1.0)
    await till.received(CHARGE)
    await till.entity.set(error_before=0.0)

    answers = [await till.received(VOID), await till.received(CHARGE)]

    assert [replace(VOIDED, attempt=4), VOIDED] == answers
    assert 0 == await till.charges()


async def test_a_failed_creation_finds_the_intent_by_its_order(till: Till, tmp_path: Path) -> None:
    """The key's stored answer is a 500 for ever: the intent is searched for, and charged once."""
    (await till.received(VOID), await till.received(CHARGE))
    other = p.ChargeCard(**{**BILL, "transaction_id": "o2"})
    with closing(sqlite3.connect(tmp_path / "provider.sqlite", isolation_level=None)) as books:
        await till.entity.set(error_before=1.0)
        await till.received(other)
        await till.entity.set(error_before=0.0)
        books.execute(
            "UPDATE idempotency SET status = 500, body = ? WHERE key = 'o2:create'",
            (b'{"error": {"type": "api_error", "message": "An unknown error occurred."}}',),
        )

    answers = [await till.received(other), await till.received(other)]

    assert [p.ChargeSucceeded] * 2 == [type(each) for each in answers]
    assert 1 == await till.charges()


async def test_a_failed_creation_without_an_intent_can_be_voided(
    till: Till, tmp_path: Path
) -> None:
    """A stored 500 and no intent: unknown while it is wanted, voided when it is not."""
    await till.received(p.VoidCharge(**{**BILL, "transaction_id": "o2"}, attempt=1))
    with closing(sqlite3.connect(tmp_path / "provider.sqlite", isolation_level=None)) as books:
        books.execute("UPDATE idempotency SET status = 500, body = '{\"error\": {}}'")
        books.execute("DELETE FROM intents")

    inquiry = await till.received(p.InquireCharge(**{**BILL, "transaction_id": "o2"}, attempt=1))
    void = await till.received(p.VoidCharge(**{**BILL, "transaction_id": "o2"}, attempt=2))

    voided = p.ChargeVoided(transaction_id="o2", attempt=2)
    assert (p.ChargeUnknown, voided) == (type(inquiry), void)


async def test_a_misused_key_is_an_error_of_ours(till: Till) -> None:
    """The same order with another amount is a mistake in the program: it is raised."""
    await till.received(CHARGE)

    with pytest.raises(stripe.IdempotencyError):
        await till.ask(replace(CHARGE, amount_minor=2_000))

    assert 1 == await till.charges()


async def test_two_who_ask_at_once_are_no_error(till: Till) -> None:
    """A frozen process may go on beside its successor: the second knows no outcome yet."""
    await till.entity.set(slow=1.0, slow_seconds=1.0)

    answers = await asyncio.gather(*(till.received(CHARGE) for _ in range(4)))
    later = await till.received(INQUIRE)

    assert {type(each) for each in answers} <= {p.ChargeSucceeded, p.ChargeUnknown}
    assert "409 APIError" in {getattr(each, "reason", "") for each in answers}
    assert (p.ChargeSucceeded, 1) == (type(later), await till.charges())


async def test_keys_come_from_the_order_and_never_change(till: Till, tmp_path: Path) -> None:
    """However often and after whatever trouble: one key for each thing that is asked."""
    await till.entity.set(error_after=1.0)
    paid = [await till.received(each) for each in (CHARGE, INQUIRE, CHARGE, INQUIRE)][1]
    for _ in range(2):
        await till.received(refund(paid.payment_id, "return-1"))
    await till.received(replace(VOID, transaction_id="o2"))

    with closing(sqlite3.connect(tmp_path / "provider.sqlite")) as books:
        keys = {row[0] for row in books.execute("SELECT key FROM idempotency")}
    assert {"o1:create", "o1:confirm", "o1:refund:return-1", "o2:create", "o2:cancel"} == keys


async def test_a_key_is_no_longer_than_the_provider_accepts(till: Till, tmp_path: Path) -> None:
    """An order and a return of the longest ids make a longer one, and have one of their own."""
    order = replace(CHARGE, transaction_id="o" * 128)
    paid = await till.received(order)
    refund_command = refund(paid.payment_id, "r" * 128)
    other = await till.received(replace(CHARGE, transaction_id="p" * 128))
    for bill in (order, replace(order, transaction_id="p" * 128)):
        payment_id = paid.payment_id if bill is order else other.payment_id
        about = {"transaction_id": bill.transaction_id, "payment_id": payment_id}
        for _ in range(2):
            await till.received(replace(refund_command, **about))

    with closing(sqlite3.connect(tmp_path / "provider.sqlite")) as books:
        keys = [row[0] for row in books.execute("SELECT key FROM idempotency")]
    assert 6 == len(keys)
    assert max(map(len, keys)) <= 255


async def test_a_wrong_key_leaves_the_outcome_unknown(till: Till) -> None:
    """An order waits until the operator has set the right key."""
    ask = open_provider(replace(till.entity.config, provider_key="sk_test_wrong"))

    (answer,) = await ask(CHARGE)

    await ask.close()
    assert p.ChargeUnknown(transaction_id="o1", attempt=0, reason="AuthenticationError") == answer


# --- refunds -------------------------------------------------------------------


async def test_a_refund_happens_once_for_each_key(till: Till) -> None:
    """Asked twice: the same refund. Another key: another refund."""
    paid = await till.received(CHARGE)
    commands = [
        refund(paid.payment_id, "return-1", 300),
        refund(paid.payment_id, "return-1", 300),
        refund(paid.payment_id, "return-2", 200),
    ]

    first, again, other = [await till.received(each) for each in commands]

    assert first == again
    assert (300, 200) == (first.amount_minor, other.amount_minor)
    assert 500 == (await till.entity.state())["refunded_minor"]


async def test_a_refund_behind_an_error_is_found_in_the_list(till: Till) -> None:
    """500 after refunding: the list knows, so the answer is success; asked again the same."""
    paid = await till.received(CHARGE)
    await till.entity.set(error_after=1.0)

    answers = [await till.received(refund(paid.payment_id)) for _ in range(2)]

    assert [p.RefundSucceeded] * 2 == [type(each) for each in answers]
    assert 1 == len(set(answers))
    assert 1_000 == (await till.entity.state())["refunded_minor"]


async def test_a_refund_that_did_not_happen_is_unknown_then_happens(till: Till) -> None:
    """500 before refunding: unknown; the same key then refunds."""
    paid = await till.received(CHARGE)
    await till.entity.set(error_before=1.0)
    unknown = await till.received(refund(paid.payment_id))
    await till.entity.set(error_before=0.0)

    answer = await till.received(refund(paid.payment_id))

    assert (p.RefundUnknown, 5, "compensation") == (
        type(unknown),
        unknown.attempt,
        unknown.refund_key,
    )
    assert p.RefundSucceeded is type(answer)
    assert 1_000 == (await till.entity.state())["refunded_minor"]


async def test_a_refund_beyond_the_charge_is_never_a_success(till: Till) -> None:
    """Another refund of the same amount is not taken for this one, and asking again is in vain."""
    paid = await till.received(CHARGE)
    await till.received(refund(paid.payment_id, "compensation"))

    answer = await till.received(refund(paid.payment_id, "return-1"))

    assert (p.RefundRefused, "charge_already_refunded") == (type(answer), answer.reason)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param({"transaction_id": "o2"}, "the payment is of another order", id="foreign"),
        pytest.param(
            {"currency": "IDR", "amount_minor": 100_000},
            "the payment is in another currency",
            id="in rupiah",
        ),
    ],
)
async def test_a_refund_of_what_is_not_its_payment_is_refused(
    till: Till, more: dict[str, Any], reason: str
) -> None:
    """The provider would pay: it knows neither our orders nor the currency that was meant."""
    paid = await till.received(CHARGE)

    answer = await till.received(replace(refund(paid.payment_id), **more))

    assert (p.RefundRefused, reason) == (type(answer), answer.reason)
    assert 0 == (await till.entity.state())["refunded_minor"]


async def test_returns_whose_ids_have_our_separator_do_not_share_a_key(till: Till) -> None:
    """Round 1 of return `R` is not return `R:1`."""
    paid = await till.received(CHARGE)

    answers = [
        await till.received(each)
        for each in (
            refund(paid.payment_id, "R:1", 100),
            replace(refund(paid.payment_id, "R", 200), round=1),
        )
    ]

    assert [100, 200] == [each.amount_minor for each in answers]
    assert 300 == (await till.entity.state())["refunded_minor"]


async def test_a_charge_keeps_its_key_over_an_upgrade_whatever_its_id(till: Till) -> None:
    """A search finds what is younger than a minute not yet: another key would charge again."""
    under_way = replace(CHARGE, transaction_id="a:b")

    key = str(till.ask._account.key(under_way, "create")["idempotency_key"])
    assert key.endswith("a:b:create")


async def test_a_refund_under_the_key_of_earlier_versions_is_not_made_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id has our separator, and it is asked again by a version with another key for it."""
    paid = await till.received(CHARGE)
    command = refund(paid.payment_id, "R:1", 100)
    with monkeypatch.context() as earlier:
        earlier.setattr(provider_account, "_has_separator", lambda _parts: False)
        first = await till.received(command)

    assert first == await till.received(command)
    assert 100 == (await till.entity.state())["refunded_minor"]


async def test_a_key_of_another_refund_is_a_refusal(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking again never changes it: an operator decides. It was raised, and dead-lettered."""
    paid = await till.received(CHARGE)
    monkeypatch.setattr(provider_account, "_has_separator", lambda _parts: False)
    await till.received(refund(paid.payment_id, "R:1", 100))

    answer = await till.received(replace(refund(paid.payment_id, "R", 200), round=1))

    assert (p.RefundRefused, "IdempotencyError") == (type(answer), answer.reason)
    assert 100 == (await till.entity.state())["refunded_minor"]


@pytest.mark.parametrize(
    ("card", "first", "later"),
    [
        pytest.param("pm_card_pendingRefund", p.RefundPending, p.RefundSucceeded, id="pending"),
        pytest.param("pm_card_refundFail", p.RefundSucceeded, p.RefundFailed, id="failing"),
    ],
)
async def test_a_refund_has_states_and_a_new_round_is_a_new_refund(
    till: Till, card: str, first: type, later: type
) -> None:
    """Stripe's test cards: pending, then there; there, then failed, and once more in vain."""
    await till.entity.set(refund_seconds=0.1)
    paid = await till.received(replace(CHARGE, payment_method=card))
    refund_command = refund(paid.payment_id, "r1", 300)
    answer = await till.received(refund_command)
    inquiry = p.InquireRefund(
        transaction_id="o1",
        payment_id=paid.payment_id,
        refund_key="r1",
        refund_id=answer.refund_id,
        attempt=1,
    )

    async def changed() -> bool:
        return isinstance(await till.received(inquiry), later)

    await until(changed)
    again = await till.received(replace(refund_command, round=1))

    assert first is type(answer) is type(again)
    assert answer.refund_id != again.refund_id


# --- after more than a day -------------------------------------------------------

DAY_AND_HOUR_SECONDS = 25 * 3_600


@asynccontextmanager
async def later_till(till: Till, **config: str) -> AsyncIterator[Till]:
    """Open another gateway 25 hours later, when the provider has removed all keys."""
    ahead_ms = DAY_AND_HOUR_SECONDS * 1_000
    changed = {"by_seconds": DAY_AND_HOUR_SECONDS}
    status, clock = await till.entity.ask("PUT", "/_clock", json=changed)
    ask = open_provider(
        replace(till.entity.config, **config), lambda: time.time_ns() // 1_000_000 + ahead_ms
    )
    yield Till(till.entity, ask)
    await ask.close()
    assert (200, DAY_AND_HOUR_SECONDS) == (status, clock["ahead_seconds"])


@pytest.mark.parametrize(
    "later", [pytest.param(c, id=type(c).__name__) for c in (CHARGE, INQUIRE, VOID)]
)
async def test_a_charge_of_yesterday_is_found_and_not_made_again(till: Till, later: Any) -> None:
    """Keys are gone: whatever is asked, the intent of before is the answer."""
    paid = await till.received(CHARGE)

    async with later_till(till) as till_later:
        answer = await till_later.received(later)

    assert paid == answer
    assert (1, 1) == ((await till.entity.state())["intents"], await till.charges())


async def test_a_refund_of_yesterday_is_found_and_not_made_again(till: Till) -> None:
    """One return is refunded once, however late it is asked for again; another one is not it."""
    paid = await till.received(CHARGE)
    refund_command, other = (refund(paid.payment_id, key, 300) for key in ("r1", "r2"))
    first = await till.received(refund_command)

    async with later_till(till) as till_later:
        again, new = await till_later.received(refund_command), await till_later.received(other)

    assert first == again != new
    assert 600 == (await till.entity.state())["refunded_minor"]


async def test_what_was_never_charged_is_charged_a_day_later_once(till: Till) -> None:
    """An outage of a day: nothing is found, so it is charged, under a key that is new again."""
    await till.entity.set(error_before=1.0)
    await till.received(CHARGE)
    await till.entity.set(error_before=0.0)

    async with later_till(till) as till_later:
        answers = [await till_later.received(each) for each in (INQUIRE, INQUIRE, CHARGE)]

    assert [p.ChargeSucceeded] * 3 == [type(each) for each in answers]
    assert 1 == await till.charges()


async def test_two_instances_on_one_account_do_not_share_a_charge(till: Till) -> None:
    """The same order id in two installations: two charges, and each finds its own a day later."""
    names = ("north", "south")
    asks = {name: open_provider(replace(till.entity.config, installation=name)) for name in names}
    paid = {name: (await asks[name](CHARGE))[0].payment_id for name in names}
    for ask in asks.values():
        await ask.close()

    async with later_till(till, installation="south") as till_later:
        answer = await till_later.received(CHARGE)

    assert paid["north"] != paid["south"] == answer.payment_id
    assert 2 == await till.charges()


async def test_a_charge_of_before_installations_is_found_by_its_order(till: Till) -> None:
    """A command that says no time is of an earlier version: its intent has no installation."""
    paid = await till.received(CHARGE)
    charge = replace(CHARGE, asked_at_ms=0)
    ask = open_provider(replace(till.entity.config, installation="north"))

    (answer,) = await ask(charge)

    await ask.close()
    assert paid == answer
    assert 1 == await till.charges()


# --- trouble of the network ----------------------------------------------------


async def _garbage(_request: web.Request) -> web.Response:
    return web.Response(body=b"<html>", content_type="text/html")


async def _busy(_request: web.Request) -> web.Response:
    return web.json_response({"error": {"type": "rate_limit", "message": "slow down"}}, status=429)


async def _teapot(_request: web.Request) -> web.Response:
    return web.json_response({"error": {"type": "api_error"}}, status=503)


async def _break_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b"{")
    assert request.transport is not None
    request.transport.abort()
    return answer


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(_garbage, id="no JSON"),
        pytest.param(_busy, id="429"),
        pytest.param(_teapot, id="503"),
        pytest.param(_break_off, id="the connection breaks amidst the answer"),
    ],
)
async def test_any_trouble_outside_is_an_unknown_outcome(
    behave: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> None:
    """Whatever a broken server says, the answer is a message that says: not known."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", behave)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        answers = await _ask_everything(Config(provider_url=url, carrier_url=url))

    assert [p.ChargeUnknown] * 3 + [p.RefundUnknown] + [c.ShipmentUnknown] * 3 == answers


async def test_nobody_listening_is_an_unknown_outcome() -> None:
    """A refused connection is not an exception either."""
    url = "http://127.0.0.1:9"

    answers = await _ask_everything(Config(provider_url=url, carrier_url=url))

    assert [p.ChargeUnknown] * 3 + [p.RefundUnknown] + [c.ShipmentUnknown] * 3 == answers


async def _ask_everything(config: Config) -> list[type]:
    ask_provider, ask_carrier = open_provider(config), open_carrier(config)
    answers: list[Any] = [
        *[await ask_provider(each) for each in (CHARGE, INQUIRE, VOID, refund("pi_1"))],
        *[await ask_carrier(each) for each in (BOOK, WITHDRAW, ASK_WHERE)],
    ]
    await ask_provider.close()
    await ask_carrier.close()
    return [type(answer) for (answer,) in answers]


# --- the carrier ---------------------------------------------------------------


async def test_a_shipment_is_booked_once(depot: tuple[System, CarrierGateway]) -> None:
    """Booking again finds the same shipment; inquiring says where it is."""
    entity, ask = depot

    (first,), (again,), (where,) = [await ask(each) for each in (BOOK, BOOK, ASK_WHERE)]

    assert first == again
    assert (
        c.ShipmentTracked(order_id="o1", shipment_id=first.shipment_id, status="in_transit")
        == where
    )
    assert first.tracking
    assert 1 == (await entity.state())["in_transit"]


async def test_a_withdrawn_shipment_stays_withdrawn(depot: tuple[System, CarrierGateway]) -> None:
    """Withdrawn before it was booked: booking and inquiring receive the same."""
    _, ask = depot

    answers = [await ask(each) for each in (WITHDRAW, BOOK, ASK_WHERE, WITHDRAW)]

    assert [(c.ShipmentWithdrawn(order_id="o1"),)] * 4 == answers


async def test_a_refused_shipment_says_why(depot: tuple[System, CarrierGateway]) -> None:
    """Refused when booking, and when inquiring."""
    entity, ask = depot
    await entity.set(refuse=1.0)

    (booked,), (where,) = [await ask(each) for each in (BOOK, ASK_WHERE)]

    assert c.ShipmentRefused(order_id="o1", reason="no service to this address") == booked
    assert c.ShipmentRefused is type(where)


async def test_a_withdrawal_of_a_delivered_shipment_says_so(
    depot: tuple[System, CarrierGateway],
) -> None:
    """Too late to withdraw: delivered. Inquiring says the same."""
    entity, ask = depot
    await entity.set(deliver_seconds=0)
    (booked,) = await ask(BOOK)

    async def delivered() -> bool:
        return (await entity.state())["delivered"] == 1

    await until(delivered)
    due = c.ShipmentTracked(order_id="o1", shipment_id=booked.shipment_id, status="delivered")
    assert [(due,), (due,)] == [await ask(each) for each in (WITHDRAW, ASK_WHERE)]


async def test_what_was_never_booked_is_unknown(depot: tuple[System, CarrierGateway]) -> None:
    """Inquiring before booking: not booked; shipping decides what to do."""
    _, ask = depot

    assert (c.ShipmentUnknown(order_id="o1", attempt=3, reason="not booked"),) == await ask(
        ASK_WHERE
    )


async def test_a_slow_carrier_is_unknown_then_found(depot: tuple[System, CarrierGateway]) -> None:
    """Time-outs and 500s, before or after booking, end in one shipment."""
    entity, ask = depot
    await entity.set(timeout=0.5, error_after=0.5)
    orders = [replace(BOOK, order_id=f"o{n}") for n in range(6)]
    first = await asyncio.gather(*(ask(each) for each in orders))
    await entity.set(timeout=0, error_after=0)

    again = [await ask(each) for each in orders]

    assert c.ShipmentUnknown in {type(answer) for (answer,) in first}
    assert {c.ShipmentBooked} == {type(answer) for (answer,) in again}
    assert 6 == (await entity.state())["in_transit"]


async def test_an_odd_order_id_reaches_the_carrier_whole(
    depot: tuple[System, CarrierGateway],
) -> None:
    """Slashes, blanks and dots are not paths."""
    _, ask = depot

    (booked,) = await ask(replace(BOOK, order_id="../a b/ü?x=1#%2F"))
    (where,) = await ask(replace(ASK_WHERE, order_id="../a b/ü?x=1#%2F"))

    assert booked.shipment_id == where.shipment_id


# --- signatures ----------------------------------------------------------------

BODY = b'{"id": "evt_1"}'
NOW_SECONDS = 1_700_000_000


def test_a_signature_verifies_and_is_stripes() -> None:
    """What we sign, the SDK accepts; what the SDK signs, we accept."""
    now = int(time.time())

    stripe.WebhookSignature.verify_header(BODY.decode(), sign(BODY, "s", now), "s", 300)
    verify(sign(BODY, "s", now), BODY, "s", now)


def test_one_of_several_signatures_is_enough() -> None:
    """While a secret is changed both are sent."""
    header = f"{sign(BODY, 'new', NOW_SECONDS)},{sign(BODY, 'old', NOW_SECONDS).split(',')[1]}"

    verify(header, BODY, "old", NOW_SECONDS)
    verify(header, BODY, "new", NOW_SECONDS)


@pytest.mark.parametrize(
    ("header", "body", "secret", "now_seconds"),
    [
        pytest.param(sign(BODY, "s", NOW_SECONDS), BODY + b" ", "s", NOW_SECONDS, id="other body"),
        pytest.param(sign(BODY, "s", NOW_SECONDS), BODY, "t", NOW_SECONDS, id="other secret"),
        pytest.param(sign(BODY, "s", NOW_SECONDS), BODY, "s", NOW_SECONDS + 301, id="too old"),
        pytest.param(sign(BODY, "s", NOW_SECONDS), BODY, "s", NOW_SECONDS - 301, id="from ahead"),
        pytest.param("", BODY, "s", NOW_SECONDS, id="no header"),
        pytest.param("t=1,v1=" + "a" * 2_000, BODY, "s", 1, id="long header"),
        pytest.param(f"t={NOW_SECONDS}", BODY, "s", NOW_SECONDS, id="no signature"),
        pytest.param("v1=abc", BODY, "s", NOW_SECONDS, id="no time"),
        pytest.param("t=now,v1=abc", BODY, "s", NOW_SECONDS, id="time is not a number"),
        pytest.param("t=1,t=2,v1=abc", BODY, "s", NOW_SECONDS, id="two times"),
        pytest.param(f"t={NOW_SECONDS},v1=ü", BODY, "s", NOW_SECONDS, id="not ASCII"),
        pytest.param(f"t={NOW_SECONDS},v0=abc", BODY, "s", NOW_SECONDS, id="another scheme"),
    ],
)
def test_a_bad_signature_is_refused(
    header: str, body: bytes, secret: str, now_seconds: float
) -> None:
    """Anything but this body, this secret, lately, raises BadSignature and nothing else."""
    with pytest.raises(BadSignature):
        verify(header, body, secret, now_seconds)


def test_a_signature_holds_for_five_minutes() -> None:
    """The tolerance is Stripe's."""
    verify(sign(BODY, "s", NOW_SECONDS), BODY, "s", NOW_SECONDS + 300)
