"""Events, the balance, payouts, disputes and canceled refunds, as the official SDK sees them."""

from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from app.local.simulators.balance import (
    DAY_MS,
    Tariff,
    Transaction,
    charge_fee,
    due_payout,
    midnight,
)
from tests.support.external_systems import Console, until
from tests.support.shop import Shop

DAY = 86_400


async def kinds(shop: Shop, **params: Any) -> list[str]:
    """Return the types of the listed events, newest first."""
    listed = await shop.v1.events.list_async({"limit": 100, **params})  # type: ignore[typeddict-item]
    return [each.type for each in listed.data]


async def ledger(shop: Shop, **params: Any) -> list[tuple[str, int, int, int]]:
    """Return balance transactions, newest first: category, amount, fee, net."""
    listed = await shop.v1.balance_transactions.list_async({"limit": 100, **params})  # type: ignore[typeddict-item]
    return [(each.reporting_category, each.amount, each.fee, each.net) for each in listed.data]


async def disputed(shop: Shop, method: str = "pm_card_createDispute", **more: Any) -> Any:
    """Return the dispute about a charge of 10.00, once it is open."""
    await shop.create(payment_method=method, confirm=True, **more)
    await shop.later(6)
    disputes: list[Any] = []

    async def opened() -> bool:
        disputes[:] = (await shop.v1.disputes.list_async({})).data
        return bool(disputes)

    await until(opened)
    return disputes[0]


async def decided(shop: Shop, dispute: Any, status: str) -> Any:
    """Return the dispute once the bank has decided."""

    async def has_status() -> bool:
        return (await shop.v1.disputes.retrieve_async(dispute.id)).status == status

    await shop.later(6)
    await until(has_status)
    return await shop.v1.disputes.retrieve_async(dispute.id)


async def argue(shop: Shop, dispute: Any, text: str, **more: Any) -> Any:
    """Send evidence."""
    params: Any = {"evidence": {"uncategorized_text": text}, **more}
    return await shop.v1.disputes.update_async(dispute.id, params)


# --- events -------------------------------------------------------------------


async def test_events_are_listed_in_their_order(shop: Shop, console: Console) -> None:
    """Also those of which no webhook is sent; each webhook is in the list, by its id."""
    intent = await shop.create(confirm=True)
    await shop.refund(intent.id, "r1", amount=100)
    await until(lambda: len(console.notices) == 1)
    listed = await shop.v1.events.list_async({})

    one = await shop.v1.events.retrieve_async(console.notices[0]["id"])

    assert ["refund.created", "payment_intent.succeeded", "payment_intent.created"] == [
        each.type for each in listed.data
    ]
    assert ("payment_intent.succeeded", intent.id) == (one.type, one.data.object["id"])


async def test_events_are_filtered_and_paged(shop: Shop) -> None:
    """By type, by time, and from the last one seen, in both directions."""
    for number in range(5):
        await shop.create(f"o{number}", confirm=True)
    every = (await shop.v1.events.list_async({"limit": 100})).data
    succeeded = {"types": ["payment_intent.succeeded", "payment_intent.canceled"]}
    oldest = every[-1]

    paid = await shop.v1.events.list_async({"limit": 2, **succeeded})  # type: ignore[typeddict-item]
    newer = await shop.v1.events.list_async({"limit": 3, "ending_before": oldest.id})
    all_paid = [each async for each in paid.auto_paging_iter()]
    later = {"created": {"gte": every[0].created + 1}}

    assert (10, 2, True, 5) == (len(every), len(paid.data), paid.has_more, len(all_paid))
    assert [each.id for each in every[-4:-1]] == [each.id for each in newer.data]
    assert newer.has_more
    assert [] == await kinds(shop, **later)
    assert 10 == len(await kinds(shop, created={"gte": oldest.created}))
    assert 5 == len(await kinds(shop, type="payment_intent.created"))
    assert 10 == len(await kinds(shop, type="payment_intent.*"))
    with pytest.raises(stripe.InvalidRequestError):
        await kinds(shop, starting_after="evt_none")


async def test_events_are_kept_for_thirty_days(shop: Shop) -> None:
    """By the provider's clock."""
    await shop.create(confirm=True)
    await shop.later(30 * DAY - 60)
    events = await kinds(shop, type="payment_intent.*")
    await shop.later(61)

    assert 2 == len(events)
    assert [] == await kinds(shop, type="payment_intent.*")


async def test_a_lost_webhook_is_in_the_list(shop: Shop) -> None:
    """That is what the list is for."""
    await shop.system.set(webhook_lost=1.0)

    await shop.create(confirm=True)

    assert "payment_intent.succeeded" in await kinds(shop)


async def test_webhooks_come_in_another_order(shop: Shop, console: Console) -> None:
    """Each once, later ones before earlier ones."""
    await shop.system.set(webhook_shuffled=1.0, webhook_shuffled_seconds=1.0)
    for number in range(12):
        await shop.create(f"o{number}", confirm=True)

    await until(lambda: len(console.notices) == 12)

    orders = [each["data"]["object"]["metadata"]["order_id"] for each in console.notices]
    assert {f"o{number}" for number in range(12)} == set(orders)
    assert [f"o{number}" for number in range(12)] != orders


# --- balance and payouts ------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "fee"),
    [(1_000, 35), (1, 1), (33, 20), (34, 21), (100, 22), (9_999, 170), (100_000_000_000, None)],
)
def test_the_fee_is_a_share_and_a_fixed_amount(amount: int, fee: int | None) -> None:
    """1.5 % rounded half up, and 20; never more than the charge."""
    expected_fee = 1_500_000_020 if fee is None else fee

    assert expected_fee == charge_fee(Tariff(), amount)


async def test_every_movement_has_its_balance_transaction(shop: Shop) -> None:
    """A charge with its fee, a capture of what was taken, a refund, and a refund that fails."""
    whole = await shop.create("o1", confirm=True, payment_method="pm_card_refundFail")
    part = await shop.create("o2", confirm=True, capture_method="manual")
    await shop.capture(part.id, "c1", amount_to_capture=700)
    refund = await shop.refund(whole.id, "r1", amount=400)
    await shop.later(3)
    await until(lambda: has(shop, "refund_failure"))

    charge = (await shop.retrieve(whole.id, "latest_charge")).latest_charge
    own = await shop.v1.balance_transactions.retrieve_async(charge.balance_transaction)
    assert [
        ("refund_failure", 400, 0, 400),
        ("refund", -400, 0, -400),
        ("charge", 700, 31, 669),
        ("charge", 1_000, 35, 965),
    ] == await ledger(shop)
    assert [("refund", -400, 0, -400)] == await ledger(shop, type="refund", source=refund.id)
    assert [("charge", 1_000, 35, 965)] == await ledger(shop, source=charge.id)
    assert (charge.id, "pending", "stripe_fee", 35) == (
        own.source,
        own.status,
        own.fee_details[0].type,
        own.fee_details[0].amount,
    )
    assert 0 == own.available_on % DAY
    assert 2 * DAY <= own.available_on - own.created <= 3 * DAY


async def has(shop: Shop, category: str) -> bool:
    """Return whether a balance transaction of `category` is there."""
    return category in {each[0] for each in await ledger(shop)}


async def test_an_authorization_moves_nothing(shop: Shop) -> None:
    """Neither held nor released."""
    held = await shop.create(confirm=True, capture_method="manual")
    await shop.v1.payment_intents.cancel_async(held.id)

    assert [] == await ledger(shop)


async def test_each_midnight_pays_out_what_is_available(shop: Shop) -> None:
    """By currency; what a payout is made of sums up to it, and it arrives a day later."""
    for number in range(3):
        await shop.create(f"o{number}", confirm=True)
    intent = await shop.create("o9", confirm=True, currency="eur")
    await shop.refund(intent.id, "r1", amount=100)
    await shop.later(4 * DAY)

    async def arrived() -> bool:
        listed = await shop.v1.payouts.list_async({"status": "paid"})
        return len(listed.data) == 2

    await until(arrived)
    payouts = {each.currency: each for each in (await shop.v1.payouts.list_async({})).data}
    balance = await shop.v1.balance.retrieve_async()
    for payout in payouts.values():
        lines = await ledger(shop, payout=payout.id)
        assert ("payout", -payout.amount, 0, -payout.amount) == lines[0]
        assert payout.amount == sum(net for category, *_, net in lines if category != "payout")
        assert (0, DAY) == (payout.created % DAY, payout.arrival_date - payout.created)
    assert (3 * 965, 965 - 100) == (payouts["gbp"].amount, payouts["eur"].amount)
    assert {0} == {each.amount for each in balance.available}
    assert ["payout.paid"] * 2 == await kinds(shop, type="payout.paid")
    paid_out = await shop.v1.payouts.retrieve_async(payouts["gbp"].id)
    assert "paid" == paid_out.status


async def test_a_long_leap_of_the_clock_makes_a_payout_of_each_day(shop: Shop) -> None:
    """As if the days had passed one by one."""
    await shop.create("o1", confirm=True)
    await shop.later(DAY)
    await shop.create("o2", confirm=True)
    await shop.later(20 * DAY)

    async def both_are_there() -> bool:
        return len((await shop.v1.payouts.list_async({})).data) == 2

    await until(both_are_there)
    newest, oldest = (await shop.v1.payouts.list_async({})).data
    assert DAY == newest.created - oldest.created


@pytest.mark.parametrize(
    ("fault", "kinds_expected"),
    [
        pytest.param("payout_fail", ["payout.paid", "payout.failed"], id="it does not arrive"),
        pytest.param(
            "payout_return", ["payout.paid", "payout.failed", "payout.paid"], id="after it was paid"
        ),
    ],
)
async def test_a_payout_that_fails_gives_its_money_back(
    fault: str, kinds_expected: list[str], shop: Shop
) -> None:
    """As a balance transaction, which the next payout takes along; that one arrives."""
    await shop.system.set(**{fault: 1.0})
    await shop.create("o1", confirm=True)
    await shop.later(20 * DAY)

    async def arrived() -> bool:
        payouts = (await shop.v1.payouts.list_async({})).data
        return [each.status for each in payouts] == ["paid", "failed"]

    await until(arrived)
    second, first = (await shop.v1.payouts.list_async({})).data
    back = await shop.v1.balance_transactions.retrieve_async(first.failure_balance_transaction)
    lines = await shop.v1.balance_transactions.list_async({"payout": second.id})
    listed = await shop.v1.balance_transactions.list_async({"type": "payout_failure"})

    assert ("could_not_process", None) == (first.failure_code, second.failure_code)
    assert ("payout_failure", "payout_reversal", 985 - 20, first.id) == (
        back.type,
        back.reporting_category,
        back.amount,
        back.source,
    )
    assert [back.id] == [each.id for each in listed.data]
    assert {second.balance_transaction, back.id} == {each.id for each in lines.data}
    assert kinds_expected == [
        each
        for each in await kinds(shop, types=["payout.paid", "payout.failed"])
        if each.startswith("payout.")
    ]
    assert 0 == (await shop.v1.balance.retrieve_async()).available[0].amount


async def test_a_card_can_be_available_at_once(shop: Shop) -> None:
    """pm_card_bypassPending: paid out at the next midnight."""
    await shop.create(confirm=True, payment_method="pm_card_bypassPending")

    balance = await shop.v1.balance.retrieve_async()

    assert [(965, "gbp")] == [(each.amount, each.currency) for each in balance.available]


@given(st.lists(st.tuples(st.integers(-5_000, 5_000), st.integers(0, 30 * DAY_MS))))
def test_payouts_take_each_transaction_once(entries: list[tuple[int, int]]) -> None:
    """No payout is empty or below zero, none is early, and what is left has not earned one."""
    rest = [
        Transaction(
            id=f"txn_{number}",
            source="",
            category="charge",
            amount_minor=amount,
            currency="gbp",
            created_ms=at_ms,
            available_ms=at_ms,
        )
        for number, (amount, at_ms) in enumerate(entries)
    ]
    days = []
    while (due := due_payout(rest, 20 * DAY_MS)) is not None:
        day_ms, part = due
        days.append(day_ms)
        assert sum(each.net_minor for each in part) > 0
        assert all(each.available_ms <= day_ms <= 20 * DAY_MS for each in part)
        rest = [each for each in rest if each not in part]
    assert sorted(set(days)) == days
    left = [each for each in rest if midnight(each.available_ms) <= 20 * DAY_MS]
    assert sum(each.net_minor for each in left) <= 0


# --- disputes -----------------------------------------------------------------


async def test_a_chargeback_takes_money_and_fee_at_once(shop: Shop, console: Console) -> None:
    """It says why and until when; the charge cannot be refunded on top."""
    dispute = await disputed(shop)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.refund(dispute.payment_intent, "r1", amount=100)

    charge = (await shop.retrieve(dispute.payment_intent, "latest_charge")).latest_charge
    details = dispute.evidence_details
    assert ("needs_response", "fraudulent", 1_000, False) == (
        dispute.status,
        dispute.reason,
        dispute.amount,
        dispute.is_charge_refundable,
    )
    assert (14 * DAY, False, 0) == (
        details.due_by - dispute.created,
        details.has_evidence,
        details.submission_count,
    )
    assert ("dispute", -1_000, 1_500, -2_500) == (await ledger(shop))[0]
    assert [-2_500] == [each.net for each in dispute.balance_transactions]
    assert [("dispute", -1_000, 1_500, -2_500)] == await ledger(shop, type="adjustment")
    assert ("charge_disputed", True, dispute.charge) == (
        refused.value.code,
        charge.disputed,
        charge.id,
    )
    await until(
        lambda: (
            {"charge.dispute.created", "charge.dispute.funds_withdrawn"}
            <= {each["type"] for each in console.notices}
        )
    )


async def test_a_dispute_that_is_won_gives_all_of_it_back(shop: Shop) -> None:
    """Money and fee; then the charge can be refunded."""
    dispute = await disputed(shop, "pm_card_createDisputeProductNotReceived")
    sent = await argue(shop, dispute, "winning_evidence")

    won = await decided(shop, dispute, "won")
    refund = await shop.refund(dispute.payment_intent, "r1")

    assert ("product_not_received", "under_review", 1) == (
        dispute.reason,
        sent.status,
        sent.evidence_details.submission_count,
    )
    assert (True, 1_000) == (won.is_charge_refundable, refund.amount)
    assert ("dispute_reversal", 1_000, -1_500, 2_500) == (await ledger(shop))[1]
    assert [
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.created",
    ] == await kinds(shop, type="charge.dispute.*")


async def test_a_dispute_that_is_lost_keeps_money_and_fee(shop: Shop) -> None:
    """By the evidence; afterwards it takes no more of it."""
    dispute = await disputed(shop)
    await argue(shop, dispute, "losing_evidence")

    await decided(shop, dispute, "lost")

    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await argue(shop, dispute, "winning_evidence")
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await shop.v1.disputes.close_async(dispute.id)
    assert ["dispute", "charge"] == [each[0] for each in await ledger(shop)]


async def test_a_dispute_is_given_up(shop: Shop) -> None:
    """Closed by the shop it is lost at once."""
    dispute = await disputed(shop)

    closed = await shop.v1.disputes.close_async(dispute.id)

    assert "lost" == closed.status
    assert "charge.dispute.closed" == (await kinds(shop))[0]


async def test_a_deadline_that_is_missed_loses(shop: Shop) -> None:
    """Evidence that is only staged does not count."""
    dispute = await disputed(shop)
    staged = await argue(shop, dispute, "winning_evidence", submit=False)
    await shop.later(14 * DAY)

    await decided(shop, dispute, "lost")

    assert ("needs_response", True, 0) == (
        staged.status,
        staged.evidence_details.has_evidence,
        staged.evidence_details.submission_count,
    )


async def test_a_bank_that_is_not_convinced_decides_in_the_end(shop: Shop) -> None:
    """Evidence of no meaning here is under review for sixty days."""
    dispute = await disputed(shop)
    await argue(shop, dispute, "we have sent it")
    await shop.later(59 * DAY)
    before = await shop.v1.disputes.retrieve_async(dispute.id)
    await shop.later(DAY)

    await decided(shop, dispute, "lost")

    assert "under_review" == before.status


async def test_an_inquiry_moves_no_money(shop: Shop) -> None:
    """Answered, it closes; the charge can be refunded all the while."""
    inquiry = await disputed(shop, "pm_card_createDisputeInquiry")
    refund = await shop.refund(inquiry.payment_intent, "r1", amount=100)
    sent = await argue(shop, inquiry, "winning_evidence")

    closed = await decided(shop, inquiry, "warning_closed")

    assert ("warning_needs_response", True) == (inquiry.status, inquiry.is_charge_refundable)
    assert ("warning_under_review", "succeeded") == (sent.status, refund.status)
    assert [] == closed.balance_transactions
    assert ["refund", "charge"] == [each[0] for each in await ledger(shop)]


async def test_an_inquiry_ends_when_all_of_the_charge_is_refunded(shop: Shop) -> None:
    """docs.stripe.com/disputes/how-disputes-work; a part of it ends nothing."""
    inquiry = await disputed(shop, "pm_card_createDisputeInquiry")
    await shop.refund(inquiry.payment_intent, "r1", amount=100)
    meanwhile = await shop.v1.disputes.retrieve_async(inquiry.id)

    await shop.refund(inquiry.payment_intent, "r2")

    closed = await shop.v1.disputes.retrieve_async(inquiry.id)
    assert ("warning_needs_response", "warning_closed") == (meanwhile.status, closed.status)
    assert "charge.dispute.closed" in await kinds(shop)
    assert [] == closed.balance_transactions


async def test_an_inquiry_becomes_a_chargeback(shop: Shop) -> None:
    """Then it takes what is left of the charge, and can be won."""
    inquiry = await disputed(shop, "pm_card_createDisputeInquiry")
    await argue(shop, inquiry, "escalate_inquiry_evidence")
    chargeback = await decided(shop, inquiry, "needs_response")
    await argue(shop, chargeback, "winning_evidence")

    await decided(shop, inquiry, "won")

    assert 14 * DAY == round((chargeback.evidence_details.due_by - chargeback.created) / DAY) * DAY
    assert ["dispute_reversal", "dispute", "charge"] == [each[0] for each in await ledger(shop)]


async def test_what_is_refunded_is_not_disputed(shop: Shop) -> None:
    """And an authorization is not either; a part that went back is not in the dispute."""
    method = "pm_card_createDispute"
    whole = await shop.create("o1", payment_method=method, confirm=True)
    await shop.refund(whole.id, "r1")
    await shop.create("o2", payment_method=method, confirm=True, capture_method="manual")
    part = await shop.create("o3", payment_method=method, confirm=True)
    await shop.refund(part.id, "r2", amount=300)
    await shop.later(6)

    async def opened() -> bool:
        return bool((await shop.v1.disputes.list_async({})).data)

    await until(opened)
    listed = await shop.v1.disputes.list_async({})
    of_charge = await shop.v1.disputes.list_async({"payment_intent": whole.id})
    assert [(part.id, 700)] == [(each.payment_intent, each.amount) for each in listed.data]
    assert [] == of_charge.data
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await shop.v1.disputes.retrieve_async("du_none")
    assert 404 == missing.value.http_status


# --- refunds ------------------------------------------------------------------


async def test_a_refund_that_waits_for_the_customer_can_be_canceled(shop: Shop) -> None:
    """The money is at the charge again, and in the balance; once."""
    intent = await shop.create(confirm=True, payment_method="pm_card_actionRefund")
    refund = await shop.refund(intent.id, "r1", amount=400)

    canceled = await shop.v1.refunds.cancel_async(refund.id)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.refunds.cancel_async(refund.id)
    whole = await shop.refund(intent.id, "r2")

    assert ("requires_action", "display_details", "canceled", 1_000) == (
        refund.status,
        refund.next_action.type,
        canceled.status,
        whole.amount,
    )
    assert ["refund", "refund_failure", "refund", "charge"] == [
        each[0] for each in await ledger(shop)
    ]
    assert ["refund.created", "refund.updated", "refund.created"] == await kinds(
        shop, type="refund.*"
    )


async def test_a_refund_that_waits_goes_on_when_the_customer_answers(shop: Shop) -> None:
    """Within an hour, here; what has succeeded cannot be canceled."""
    intent = await shop.create(confirm=True, payment_method="pm_card_actionRefund")
    refund = await shop.refund(intent.id, "r1", amount=400)
    await shop.later(3_601)

    async def succeeded() -> bool:
        return (await shop.v1.refunds.retrieve_async(refund.id)).status == "succeeded"

    await until(succeeded)
    with pytest.raises(stripe.InvalidRequestError, match="succeeded"):
        await shop.v1.refunds.cancel_async(refund.id)


async def test_a_refund_may_name_the_charge(shop: Shop) -> None:
    """As Stripe's older calls do."""
    intent = await shop.create(confirm=True)

    refund = await shop.v1.refunds.create_async({"charge": intent.latest_charge, "amount": 10})
    charge = await shop.v1.charges.retrieve_async(intent.latest_charge)

    assert (intent.id, 10) == (refund.payment_intent, charge.amount_refunded)


async def test_lists_can_be_read_from_either_end(shop: Shop) -> None:
    """Intents, charges and refunds: older, newer, and since a time."""
    intents = [await shop.create(f"o{number}", confirm=True) for number in range(4)]
    refunds = [await shop.refund(each.id, f"r{each.id}") for each in intents]
    since = {"created": {"gte": intents[0].created}}
    newer: Any = {"ending_before": intents[0].id, "limit": 2}

    listed = await shop.v1.payment_intents.list_async(newer)
    of_one = await shop.v1.refunds.list_async({"charge": intents[1].latest_charge})
    charges = await shop.v1.charges.list_async({"payment_intent": intents[2].id})
    every = await shop.v1.refunds.list_async(since)  # type: ignore[arg-type]

    assert ([intents[2].id, intents[1].id], True) == (
        [each.id for each in listed.data],
        listed.has_more,
    )
    assert [refunds[1].id] == [each.id for each in of_one.data]
    assert [intents[2].latest_charge] == [each.id for each in charges.data]
    assert 4 == len(every.data)
