"""3-D Secure, delayed payments, authorizations and captures, as the official SDK sees them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import stripe

from app.local.simulators.provider_store import ProviderStore
from tests.support.external_systems import Console, until
from tests.support.shop import Shop

DAY = 86_400
RETURN_URL = "https://shop.example/orders/o1?from=bank"
ACTION = "pm_card_threeDSecure2Required"


async def waits(shop: Shop, method: str = ACTION, **more: Any) -> Any:
    """Return an intent that waits for the customer."""
    more = {"return_url": RETURN_URL, **more}
    return await shop.create(payment_method=method, confirm=True, **more)


def emitted(console: Console) -> list[str]:
    """Return the kinds of the webhooks so far, sorted."""
    return sorted(each["type"] for each in console.notices)


@pytest.mark.parametrize(
    ("method", "answer", "outcome"),
    [
        pytest.param(ACTION, "confirm", ("succeeded", ""), id="3ds2"),
        pytest.param("pm_card_threeDSecureRequired", "confirm", ("succeeded", ""), id="3ds"),
        pytest.param("pm_card_authenticationRequired", "confirm", ("succeeded", ""), id="always"),
        pytest.param(
            "pm_card_authenticationRequiredOnSetup", "confirm", ("succeeded", ""), id="set"
        ),
        pytest.param(
            "pm_card_authenticationRequiredSetupForOffSession",
            "confirm",
            ("succeeded", ""),
            id="off",
        ),
        pytest.param(
            "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
            "confirm",
            ("requires_payment_method", "card_declined/insufficient_funds"),
            id="declined for want of money",
        ),
        pytest.param(
            "pm_card_threeDSecureRequiredChargeDeclined",
            "confirm",
            ("requires_payment_method", "card_declined/generic_decline"),
            id="declined afterwards",
        ),
        pytest.param(
            ACTION,
            "fail",
            ("requires_payment_method", "payment_intent_authentication_failure/"),
            id="failed",
        ),
    ],
)
async def test_the_customer_answers_on_the_page(
    shop: Shop, console: Console, method: str, answer: str, outcome: tuple[str, str]
) -> None:
    """Nothing is taken before; afterwards intent, address and webhooks say how it went."""
    intent = await waits(shop, method)
    page = intent.next_action.redirect_to_url
    before = await shop.system.state()

    back = await shop.answer(page.url, answer)

    intent_now = await shop.retrieve(intent.id)
    error = intent_now.last_payment_error
    paid = outcome[0] == "succeeded"
    kind = "payment_intent.succeeded" if paid else "payment_intent.payment_failed"
    assert ("requires_action", RETURN_URL, 0) == (intent.status, page.return_url, before["charges"])
    assert outcome == (
        intent_now.status,
        f"{error.code}/{getattr(error, 'decline_code', '')}" if error else "",
    )
    assert (303, int(paid)) == (back.status, (await shop.system.state())["charges"])
    assert back.headers["Location"].startswith(f"{RETURN_URL}&payment_intent={intent.id}&")
    assert back.headers["Location"].endswith("succeeded" if paid else "failed")
    assert intent_now.next_action is None
    await until(lambda: emitted(console) == sorted([kind, "payment_intent.requires_action"]))


async def test_a_page_is_answered_once_and_only_by_its_own_form(shop: Shop) -> None:
    """Another secret, no answer, or a second one changes nothing; nobody can frame the page."""
    intent = await waits(shop)
    url = intent.next_action.redirect_to_url.url
    post = shop.system.client.post

    forged = await post(url, data={"client_secret": "guess", "outcome": "confirm"})
    neither = await shop.answer(url, "perhaps")
    async with shop.system.client.get(url) as page:
        headers, text = page.headers, await page.text()
    still = await shop.retrieve(intent.id)
    await shop.answer(url, "fail")
    again = await shop.answer(url, "confirm")

    assert "a payment of 10.00 GBP?" in text
    assert (404, 400, 404) == (forged.status, neither.status, again.status)
    assert "requires_action" == still.status
    assert ("DENY", "no-referrer") == (headers["X-Frame-Options"], headers["Referrer-Policy"])
    assert "requires_payment_method" == (await shop.retrieve(intent.id)).status
    assert 0 == (await shop.system.state())["charges"]


async def test_a_second_try_has_a_page_of_its_own(shop: Shop) -> None:
    """Confirmed anew, the first link is of no use: money is taken once."""
    first = await waits(shop)
    second = await shop.confirm(first.id, "again", return_url=RETURN_URL)

    late = await shop.answer(first.next_action.redirect_to_url.url, "confirm")
    paid = await shop.answer(second.next_action.redirect_to_url.url, "confirm")

    assert (404, 303) == (late.status, paid.status)
    assert 1 == (await shop.system.state())["charges"]


async def test_without_a_return_address_the_page_is_for_the_browsers_sdk(shop: Shop) -> None:
    """The link is there all the same, and the page thanks in place of going back."""
    intent = await shop.create(payment_method=ACTION, confirm=True)
    page = intent.next_action.use_stripe_sdk

    back = await shop.answer(page["stripe_js"], "confirm")

    assert ("use_stripe_sdk", 200) == (intent.next_action.type, back.status)
    assert "succeeded" == (await shop.retrieve(intent.id)).status


async def test_without_a_customer_a_card_that_wants_one_is_declined(shop: Shop) -> None:
    """Off session, and unless it was set up for that."""
    with pytest.raises(stripe.CardError) as declined:
        await waits(shop, "pm_card_authenticationRequired", off_session=True, return_url="")
    set_up = await shop.create(
        "o2",
        payment_method="pm_card_authenticationRequiredSetupForOffSession",
        confirm=True,
        off_session=True,
    )

    assert ("authentication_required", "succeeded") == (declined.value.code, set_up.status)


async def test_3d_secure_can_be_asked_for_where_a_card_leaves_it_open(shop: Shop) -> None:
    """By default it is not."""
    method = "pm_card_threeDSecureOptional"
    options = {"card": {"request_three_d_secure": "any"}}

    plain = await shop.create(payment_method=method, confirm=True)
    secure = await shop.create(
        "o2", payment_method=method, confirm=True, payment_method_options=options
    )

    assert ("succeeded", "requires_action") == (plain.status, secure.status)


@pytest.mark.parametrize("url", ["shop.example/orders", "javascript:alert(1)", "ftp://x.example"])
async def test_a_return_address_is_an_address(shop: Shop, url: str) -> None:
    """A 400 names the parameter, and nothing happens."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await waits(shop, return_url=url)

    assert ("return_url", 0) == (refused.value.param, (await shop.system.state())["intents"])


async def test_a_customer_who_does_not_come_can_be_given_up(shop: Shop) -> None:
    """Canceled, the page takes no answer any more."""
    intent = await waits(shop)
    reason = {"cancellation_reason": "abandoned"}
    canceled = await shop.v1.payment_intents.cancel_async(intent.id, reason)  # type: ignore[arg-type]

    late = await shop.answer(intent.next_action.redirect_to_url.url, "confirm")

    assert ("canceled", "abandoned", None) == (
        canceled.status,
        canceled.cancellation_reason,
        canceled.next_action,
    )
    assert (404, 0) == (late.status, (await shop.system.state())["charges"])


@pytest.mark.parametrize(
    ("method", "status", "charges"),
    [
        pytest.param("pm_card_processing", "succeeded", 1, id="succeeds"),
        pytest.param("pm_card_processingFail", "requires_payment_method", 0, id="fails"),
    ],
)
async def test_a_payment_that_takes_time_ends_by_the_clock(
    shop: Shop, console: Console, method: str, status: str, charges: int
) -> None:
    """Until then it has taken nothing, and can be neither confirmed nor canceled."""
    intent = await shop.create(payment_method=method, confirm=True)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.confirm(intent.id, "again")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.v1.payment_intents.cancel_async(intent.id)
    before = await shop.system.state()

    await shop.later(11)

    await until(lambda: len(console.notices) == 2)
    intent_now = await shop.retrieve(intent.id)
    assert ("processing", 0) == (intent.status, before["charges"])
    assert "payment_intent_unexpected_state" == refused.value.code
    assert (status, charges) == (intent_now.status, (await shop.system.state())["charges"])


async def held(shop: Shop, order_id: str = "o1", **more: Any) -> Any:
    """Return an intent of 10.00 that holds money and has taken none."""
    return await shop.create(order_id, confirm=True, capture_method="manual", **more)


async def test_an_authorization_takes_nothing_until_it_is_captured(
    shop: Shop, console: Console
) -> None:
    """It says how much, and until when: seven days."""
    intent = await held(shop)
    charge = (await shop.retrieve(intent.id, "latest_charge")).latest_charge
    before = await shop.system.state()

    paid = await shop.capture(intent.id, "c1")

    after = (await shop.retrieve(intent.id, "latest_charge")).latest_charge
    card = charge.payment_method_details.card
    assert ("requires_capture", 1_000, 0) == (
        intent.status,
        intent.amount_capturable,
        intent.amount_received,
    )
    assert (False, 0, 7 * DAY) == (
        charge.captured,
        charge.amount_captured,
        card.capture_before - charge.created,
    )
    assert ("succeeded", 0, 1_000) == (paid.status, paid.amount_capturable, paid.amount_received)
    assert (charge.id, True, 1_000, 0) == (
        after.id,
        after.captured,
        after.amount_captured,
        after.amount_refunded,
    )
    assert (0, 1) == (before["charges"], (await shop.system.state())["charges"])
    await until(
        lambda: (
            emitted(console)
            == ["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]
        )
    )


async def test_a_partial_capture_releases_the_rest(shop: Shop) -> None:
    """Once: what was not captured cannot be captured later, nor refunded."""
    intent = await held(shop)

    paid = await shop.capture(intent.id, "c1", amount_to_capture=700)
    with pytest.raises(stripe.InvalidRequestError) as twice:
        await shop.capture(intent.id, "c2", amount_to_capture=300)
    with pytest.raises(stripe.InvalidRequestError) as beyond:
        await shop.refund(intent.id, "r1", amount=701)

    charge = (await shop.retrieve(intent.id, "latest_charge")).latest_charge
    assert (1_000, 700, 0) == (paid.amount, paid.amount_received, paid.amount_capturable)
    assert (1_000, 700, 300, False) == (
        charge.amount,
        charge.amount_captured,
        charge.amount_refunded,
        charge.refunded,
    )
    assert ("payment_intent_unexpected_state", "amount_too_large") == (
        twice.value.code,
        beyond.value.code,
    )
    assert 700 == (await shop.system.state())["charged_minor"]


async def test_a_capture_is_refused_where_it_cannot_be(shop: Shop) -> None:
    """Too much, nothing, or of an intent that holds nothing; the authorization stays."""
    intent = await held(shop)
    plain = await shop.create("o2")

    with pytest.raises(stripe.InvalidRequestError) as much:
        await shop.capture(intent.id, "c1", amount_to_capture=1_001)
    with pytest.raises(stripe.InvalidRequestError) as nothing:
        await shop.capture(intent.id, "c2", amount_to_capture=0)
    with pytest.raises(stripe.InvalidRequestError) as early:
        await shop.capture(plain.id, "c3")
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await shop.capture("pi_none", "c4")
    with pytest.raises(stripe.InvalidRequestError) as refund:
        await shop.refund(intent.id, "r1")

    assert ("amount_too_large", "amount_to_capture") == (much.value.code, nothing.value.param)
    assert "payment_intent_unexpected_state" == early.value.code
    assert (404, 400) == (missing.value.http_status, refund.value.http_status)
    assert "requires_capture" == (await shop.retrieve(intent.id)).status


async def test_a_capture_is_kept_under_its_key(shop: Shop) -> None:
    """Asked twice it is the same answer, and one charge."""
    intent = await held(shop)

    first = await shop.capture(intent.id, "c1", amount_to_capture=400)
    again = await shop.capture(intent.id, "c1", amount_to_capture=400)

    assert "true" == again.last_response.headers["Idempotent-Replayed"]
    assert (400, 400) == (first.amount_received, again.amount_received)
    assert 400 == (await shop.system.state())["charged_minor"]


@pytest.mark.parametrize(
    ("card", "faults", "error", "then"),
    [
        pytest.param("visa", {"capture_declined": 1.0}, "card_declined", "requires_capture",
                     id="the card is declined"),
        pytest.param("visa", {"hold_expired": 1.0}, "charge_expired_for_capture", "canceled",
                     id="the bank has let go of it"),
        pytest.param("captureDeclined", {}, "card_declined", "requires_capture",
                     id="a card of its own"),
        pytest.param("holdExpired", {}, "charge_expired_for_capture", "canceled",
                     id="another one"),
    ],
)  # fmt: skip
async def test_a_bank_refuses_a_capture(
    shop: Shop, card: str, faults: dict[str, float], error: str, then: str
) -> None:
    """The answer is kept under its key, and nothing is taken."""
    intent = await held(shop, payment_method=f"pm_card_{card}")
    await shop.system.set(**faults)

    codes: list[str] = []
    for _ in range(2):
        with pytest.raises(stripe.StripeError) as refused:
            await shop.capture(intent.id, "c1")
        codes.append(str(refused.value.code))

    assert [error, error] == codes
    assert then == (await shop.retrieve(intent.id)).status
    assert 0 == (await shop.system.state())["charged_minor"]


async def test_a_unit_less_is_held_than_was_asked_for(shop: Shop) -> None:
    """So that what differs is found before anything leaves."""
    await shop.system.set(short=1.0)

    intent = await held(shop)

    assert 999 == intent.amount_capturable


async def test_faults_meet_captures(shop: Shop) -> None:
    """One minor unit less, and a 500 after the effect."""
    short, broken = await held(shop), await held(shop, "o2")
    await shop.system.set(short=1.0)
    less = await shop.capture(short.id, "c1")
    await shop.system.set(short=0.0, error_after=1.0)

    with pytest.raises(stripe.APIError):
        await shop.capture(broken.id, "c2")

    assert (999, "succeeded") == (less.amount_received, (await shop.retrieve(broken.id)).status)


async def test_an_authorization_is_released_by_a_cancel(shop: Shop) -> None:
    """No refund: nothing was taken."""
    intent = await held(shop)

    canceled = await shop.v1.payment_intents.cancel_async(intent.id)

    charge = (await shop.retrieve(intent.id, "latest_charge")).latest_charge
    state = await shop.system.state()
    assert ("canceled", 0) == (canceled.status, canceled.amount_capturable)
    assert (True, False) == (charge.refunded, charge.captured)
    assert (0, 0) == (state["charges"], state["refunds"])


async def test_an_authorization_expires_after_seven_days(shop: Shop, console: Console) -> None:
    """The intent is canceled by itself, and a capture comes too late."""
    intent = await held(shop)
    await shop.later(7 * DAY - 60)
    alive = (await shop.retrieve(intent.id)).status

    await shop.later(61)

    await until(lambda: "payment_intent.canceled" in emitted(console))
    intent_now = await shop.retrieve(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as late:
        await shop.capture(intent.id, "c1")
    assert "requires_capture" == alive
    assert ("canceled", "automatic", 0) == (
        intent_now.status,
        intent_now.cancellation_reason,
        intent_now.amount_capturable,
    )
    assert "payment_intent_unexpected_state" == late.value.code
    assert 0 == (await shop.system.state())["charges"]


async def test_3d_secure_comes_before_an_authorization(shop: Shop) -> None:
    """Confirmed on the page, the money is held; it is taken later."""
    intent = await waits(shop, capture_method="manual")

    await shop.answer(intent.next_action.redirect_to_url.url, "confirm")
    intent_now = await shop.retrieve(intent.id)
    paid = await shop.capture(intent.id, "c1")

    assert ("requires_capture", 1_000, "succeeded") == (
        intent_now.status,
        intent_now.amount_capturable,
        paid.status,
    )


def test_a_file_of_an_earlier_version_opens(tmp_path: Path) -> None:
    """Its intents stay, and the new statuses fit in."""
    path = tmp_path / "provider.sqlite"
    with closing(sqlite3.connect(path)) as books, books:
        books.execute(
            "CREATE TABLE intents (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
            " order_id TEXT NOT NULL, amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),"
            " currency TEXT NOT NULL, payment_method TEXT, status TEXT NOT NULL CHECK (status IN"
            " ('requires_payment_method', 'requires_confirmation', 'succeeded', 'canceled')),"
            " metadata TEXT NOT NULL, last_error TEXT, created_ms INTEGER NOT NULL,"
            " canceled_ms INTEGER)"
        )
        books.execute(
            "INSERT INTO intents VALUES (7, 'pi_1', 'o1', 10, 'gbp', 'pm_card_visa', 'succeeded',"
            " '{}', NULL, 1, NULL)"
        )
        books.execute(
            "CREATE TABLE charges (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, intent_id"
            " TEXT NOT NULL UNIQUE REFERENCES intents (id), order_id TEXT NOT NULL, amount_minor"
            " INTEGER NOT NULL, refunded_minor INTEGER NOT NULL DEFAULT 0, currency TEXT NOT NULL,"
            " created_ms INTEGER NOT NULL)"
        )
        books.execute("INSERT INTO charges VALUES (1, 'ch_1', 'pi_1', 'o1', 10, 0, 'gbp', 2)")

    with closing(ProviderStore(path)) as store:
        pass
    with closing(ProviderStore(path)) as store, store.writing() as books:
        books.execute("UPDATE intents SET status = 'requires_action'")
        intent = store.intent("pi_1")
        violations = books.execute("PRAGMA foreign_key_check").fetchall()

    assert intent is not None
    assert ("requires_action", "ch_1", 10, "automatic") == (
        intent.status,
        intent.charge_id,
        intent.received_minor,
        intent.capture_method,
    )
    assert [] == violations
