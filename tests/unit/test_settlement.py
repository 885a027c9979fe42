"""Settlement: the provider's fees and payouts, read from the simulator and posted by the ledger."""

import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from app.config import Config
from app.gateways import provider_settlement, settlement_position
from app.gateways.provider_settlement import ProviderSettlement
from app.gateways.settlement_position import DAY_SECONDS, windows
from app.operations.reconciliation.reader import provider_lines
from app.operations.reconciliation.settlement import Settlement as Compared
from app.operations.reconciliation.settlement import compare
from app.operations.reconciliation.settlement_books import DAY_MS, EXPECTED, OpenItem
from app.operations.reconciliation.settlement_reader import read_settlement
from app.operations.verification.external_systems import provider_file
from tests.support.examples.ledger import paid
from tests.support.external_systems import until
from tests.support.settlement import Settlement
from tests.support.shop import Shop
from tests.support.workflow_runner import after
from workflows.ledger import process as ledger
from workflows.payment.books import settlement_of_entry
from workflows.payment.settlement_messages import BalanceTransactionPaidOut as PaidOut
from workflows.payment.settlement_messages import BalanceTransactionReported as Reported

SALES = {"o1": (123_450, "gbp"), "o2": (1_250, "jpy"), "o3": (98_760, "kwd")}
"""What each order costs: exponents 2, 0 and 3."""
ACCOUNTS = ("cash_at_provider", "payout_clearing", "provider_fees", "cash_at_bank")
FEE = Reported(
    transaction_id="o1",
    balance_transaction_id="txn_1",
    category="charge",
    source_id="ch_1",
    amount_minor=1_250,
    fee_minor=39,
    net_minor=1_211,
    currency="GBP",
    created_at_ms=1,
    available_at_ms=2,
)


def payout(status: Any, payout_id: str = "po_1") -> PaidOut:
    """Return the line of a payout with the net of FEE."""
    return PaidOut(
        transaction_id="o1",
        balance_transaction_id="txn_1",
        payout_id=payout_id,
        status=status,
        net_minor=1_211,
        currency="GBP",
        created_at_ms=3,
        arrival_at_ms=4,
    )


# --- the ledger -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "balances"),
    [
        pytest.param([FEE], (1_211, 0, 39, 0), id="a fee is ours to pay"),
        pytest.param([FEE, FEE], (1_211, 0, 39, 0), id="once"),
        pytest.param([FEE, payout("in_transit")], (0, 1_211, 39, 0), id="a payout is on its way"),
        pytest.param(
            [FEE, payout("in_transit"), payout("paid")], (0, 0, 39, 1_211), id="and arrives"
        ),
        pytest.param([FEE, payout("paid")], (0, 0, 39, 1_211), id="arrived before it was read"),
        pytest.param(
            [payout("paid"), payout("in_transit"), payout("paid"), FEE],
            (0, 0, 39, 1_211),
            id="in any order, and twice",
        ),
        pytest.param(
            [FEE, payout("in_transit"), payout("failed")], (1_211, 0, 39, 0), id="it fails"
        ),
        pytest.param(
            [FEE, payout("in_transit"), payout("paid"), payout("failed"), payout("failed")],
            (1_211, 0, 39, 0),
            id="it fails after it was paid",
        ),
        pytest.param(
            [FEE, payout("canceled"), payout("in_transit"), payout("paid")],
            (1_211, 0, 39, 0),
            id="what is read late of a payout that was canceled changes nothing",
        ),
        pytest.param(
            [FEE, payout("failed"), payout("paid", "po_2")],
            (0, 0, 39, 1_211),
            id="the next payout takes it along",
        ),
    ],
)
def test_the_ledger_follows_the_money_to_the_bank(
    story: list[Any], balances: tuple[int, ...]
) -> None:
    """Given a payment of 12.50; cash at the provider, clearing, fees, bank."""
    state, _ = after(ledger, paid(1_250, 0), *story)

    assert balances == tuple(state.balances.get(name, 0) for name in ACCOUNTS)


def test_the_fee_of_a_dispute_is_posted_with_the_dispute() -> None:
    """Not again with its balance transaction."""
    dispute = {"category": "dispute", "amount_minor": -1_250, "fee_minor": 1_500}

    _, emitted = after(ledger, replace(FEE, **dispute))

    assert () == emitted


# --- the provider ---------------------------------------------------------------


async def paid_out(shop: Shop, days: int = 4) -> None:
    """Let days go by, until every payout has arrived."""
    await shop.later(days * DAY_SECONDS)

    async def arrived() -> bool:
        payouts = (await shop.v1.payouts.list_async({})).data
        return bool(payouts) and all(each.status == "paid" for each in payouts)

    await until(arrived)


async def provider_sums(shop: Shop) -> tuple[dict[str, int], dict[str, int]]:
    """Return fees, and what was paid out, by currency: as the provider itself lists them."""
    fees: Counter[str] = Counter()
    for each in (await shop.v1.balance_transactions.list_async({"limit": 100})).data:
        fees[each.currency.upper()] += each.fee
    sent: Counter[str] = Counter()
    for each in (await shop.v1.payouts.list_async({"limit": 100})).data:
        sent[each.currency.upper()] += each.amount
    return dict(fees), dict(sent)


async def test_fees_and_payouts_agree_to_the_minor_unit_in_three_currencies(shop: Shop) -> None:
    """GBP, JPY and KWD side by side, one of them with a refund that has no metadata of ours."""
    settlement = Settlement(shop)
    intents = {
        order_id: await settlement.charge(order_id, *sale) for order_id, sale in SALES.items()
    }
    await settlement.refund("o1", intents["o1"], 23_450, "gbp")
    before = await settlement.settle()
    await paid_out(shop)

    figures = await settlement.settle()

    fees, sent = await provider_sums(shop)
    assert {"GBP": 1_872, "JPY": 39, "KWD": 1_501} == fees == before.fees_minor
    assert {"GBP": 98_128, "JPY": 1_211, "KWD": 97_259} == sent == figures.paid_out_minor
    assert (4, 0, 0) == (before.transactions, before.payouts, before.not_ours)
    assert (0, 3, 4) == (figures.transactions, figures.payouts, figures.payout_lines)
    assert {
        currency: dict(zip(ACCOUNTS, (0, 0, fees[currency], sent[currency]), strict=True))
        for currency in fees
    } == settlement.balances(*ACCOUNTS)


async def test_settling_twice_posts_nothing(shop: Shop) -> None:
    """Neither what was read, nor what was read by another process."""
    settlement = Settlement(shop)
    await settlement.charge("o1", 1_000, "gbp")
    await paid_out(shop)
    await settlement.settle()
    entries, events = len(settlement.entries), len(settlement.topic)

    again = await settlement.settle()
    await settlement.settle(parts_max=0)
    other = await settlement.settle()
    for event in [*settlement.topic]:
        settlement.post(event.message)

    assert (0, 0) == (again.transactions + again.payout_lines, other.transactions)
    assert (entries, events) == (len(settlement.entries), len(settlement.topic))


async def test_a_kill_between_is_harmless(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever part was the last one: the next process goes on from the topic."""
    monkeypatch.setattr(settlement_position, "CHUNK_MAX", 2)
    settlement = Settlement(shop)
    for number in range(5):
        await settlement.charge(f"o{number}", 1_000 + number, "gbp")
    await paid_out(shop)

    for _ in range(10):
        await settlement.settle(parts_max=1)
    rest = await settlement.settle()

    assert (0, 0) == (rest.transactions, rest.payout_lines)
    assert (10, 20) == (len(settlement.topic), len(settlement.entries))
    fees, sent = await provider_sums(shop)
    assert {
        "GBP": dict(zip(ACCOUNTS, (0, 0, fees["GBP"], sent["GBP"]), strict=True))
    } == settlement.balances(*ACCOUNTS)


async def test_what_is_not_ours_is_counted_and_left_out(shop: Shop) -> None:
    """Another installation's order, a charge of something else, and its refund."""
    settlement = Settlement(shop)
    await settlement.charge("o1", 1_000, "gbp")
    other = {"order_id": "x1", "installation": "elsewhere"}
    await shop.create("x1", confirm=True, metadata=other)
    foreign = await shop.create("x2", confirm=True, metadata={"invoice": "i1"})
    await shop.refund(foreign.id, "x2:back", amount=100)

    figures = await settlement.settle()

    assert (1, 3) == (figures.transactions, figures.not_ours)
    assert {"o1"} == {each.message.transaction_id for each in settlement.topic}


async def test_every_page_is_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of one payout."""
    monkeypatch.setattr(provider_settlement, "PAGE", 2)
    settlement = Settlement(shop)
    for number in range(5):
        await settlement.charge(f"o{number}", 1_000, "gbp")
    await paid_out(shop)

    figures = await settlement.settle()

    assert (5, 1, 5) == (figures.transactions, figures.payouts, figures.payout_lines)


@pytest.mark.parametrize("fault", ["payout_fail", "payout_return"])
async def test_a_payout_that_fails_is_named_until_the_next_one_arrives(
    fault: str, shop: Shop
) -> None:
    """With the order and the payout; then the money of the order is at the bank, once."""
    settlement = Settlement(shop)
    await shop.system.set(**{fault: 1.0})
    await settlement.charge("o1", 1_000, "gbp")
    item_states: list[tuple[str, str, str]] = []
    for _ in range(20):
        await shop.later(DAY_SECONDS // 2)
        await until(partial(is_at_rest, shop))
        await settlement.settle()
        item_states += [
            (each.state, each.order_id, each.payout_id)
            for each in await open_items(shop, settlement)
        ]
    second, first = (await shop.v1.payouts.list_async({})).data

    accounts = settlement.balances("cash_at_provider", "payout_clearing", "cash_at_bank")
    assert {("payout failed", "o1", first.id)} == {
        each for each in item_states if "failed" in each[0]
    }
    assert set() == {state for state, *_ in item_states} - {*EXPECTED, "payout failed"}
    assert "paid" == second.status
    assert () == await open_items(shop, settlement)
    assert {"GBP": {"cash_at_provider": 0, "payout_clearing": 0, "cash_at_bank": 965}} == accounts


async def is_at_rest(shop: Shop) -> bool:
    """Return whether the provider has done what is due by its clock."""
    _, clock = await shop.system.ask("GET", "/_clock")
    payouts = (await shop.v1.payouts.list_async({})).data
    late = [each for each in payouts if each.arrival_date * 1_000 + DAY_MS <= clock["now_ms"]]
    return all(each.status in ("paid", "failed") for each in late)


async def open_items(shop: Shop, settlement: Settlement) -> tuple[OpenItem, ...]:
    """Return what is open of settlement, by the provider's file and the entries."""
    _, clock = await shop.system.ask("GET", "/_clock")
    posted = [line for entry in settlement.entries for line in settlement_of_entry(entry, 0)]
    return compare(read_settlement(shop.system.config), posted, clock["now_ms"]).open_items


def entered(name: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return a balance transaction of 10.00 less 0.35, as Stripe shows it."""
    amounts = {"amount": 1_000, "fee": 35, "net": 965, "currency": "gbp"}
    times = {"created": 1, "available_on": 2}
    about = {"object": "balance_transaction", "type": kind, "reporting_category": kind}
    return {"id": name, **about, **amounts, **times, "source": source}


async def test_a_payout_that_failed_goes_out_with_a_later_one() -> None:
    """Its money comes back in one line, and the later payout has the lines of the first."""
    charges = [
        {"id": f"ch_{n}", "object": "charge", "metadata": {"order_id": f"o{n}"}} for n in (1, 2)
    ]
    first, second = (
        {"id": f"po_{n}", "object": "payout", "created": n, "arrival_date": n, "status": status}
        for n, status in ((1, "failed"), (2, "paid"))
    )
    lines = {
        "po_1": [entered("txn_po", "payout", first), entered("txn_1", "charge", charges[0])],
        "po_2": [
            entered("txn_back", "payout_failure", first),
            entered("txn_2", "charge", charges[1]),
        ],
    }

    async def answer(request: web.Request) -> web.Response:
        listing = lines[request.query["payout"]] if "payout" in request.query else [second, first]
        body = {"object": "list", "url": request.path, "has_more": False, "data": listing}
        return web.json_response(body)

    app = web.Application()
    app.router.add_get("/v1/{name}", answer)
    async with TestServer(app) as server:
        provider = ProviderSettlement(Config(provider_url=str(server.make_url("")).rstrip("/")))
        payouts = [await provider.lines(each) for each in await provider.payouts(0)]
        await provider.close()

    assert [("po_1", "failed", ["txn_1"]), ("po_2", "paid", ["txn_1", "txn_2"])] == [
        (each.payout_id, each.status, [line.balance_transaction_id for line in each.lines])
        for each in payouts
    ]


# --- the provider's own file ----------------------------------------------------


def compared(settlement: Settlement) -> Compared:
    """Return how the provider's file compares with the ledger, by the provider's clock."""
    books = read_settlement(settlement.shop.system.config)
    posted = [line for each in settlement.entries for line in settlement_of_entry(each, 0)]
    return compare(books, posted, max(payout.arrival_ms for payout in books.payouts))


def tamper(shop: Shop, change: str) -> None:
    """Change the provider's file."""
    with closing(sqlite3.connect(provider_file(shop.system.config))) as books, books:
        books.execute(change)


async def test_what_is_settled_reconciles_in_three_currencies(shop: Shop) -> None:
    """Every line has arrived; what is not ours is counted beside it."""
    settlement = Settlement(shop)
    for order_id, sale in SALES.items():
        await settlement.charge(order_id, *sale)
    await shop.create("x1", confirm=True, metadata={"invoice": "i1"})
    await paid_out(shop)
    await settlement.settle()

    comparison = compared(settlement)

    assert set(SALES) == {line.order_id for line in provider_lines(settlement.shop.system.config)}
    assert (True, 3, 3, 1, ()) == (
        comparison.reconciled,
        comparison.lines,
        comparison.arrived,
        comparison.not_ours,
        comparison.open_items,
    )
    assert {"GBP": (1_872, 965), "JPY": (39, 0), "KWD": (1_501, 0)} == {
        currency: (sums.fees_in_ledger_minor, sums.not_ours_minor)
        for currency, sums in comparison.totals.items()
    }


@pytest.mark.parametrize(
    ("change", "states"),
    [
        pytest.param(
            "UPDATE balance_transactions SET fee_minor = fee_minor + 1 WHERE category = 'charge'",
            {"amount differs"},
            id="a fee",
        ),
        pytest.param(
            "UPDATE balance_transactions SET amount_minor = amount_minor - 1, fee_minor = fee_minor"
            " - 1 WHERE category = 'charge'",
            {"amount differs"},
            id="a gross amount",
        ),
        pytest.param(
            "UPDATE payouts SET amount_minor = amount_minor - 1", {"amount differs"}, id="a payout"
        ),
        pytest.param(
            "DELETE FROM balance_transactions WHERE category = 'charge' AND amount_minor = 2000",
            {"amount differs", "unknown line", "missing balance transaction"},
            id="a line that is gone",
        ),
        pytest.param(
            "UPDATE balance_transactions SET currency = 'eur' WHERE category = 'charge'",
            {"currency differs"},
            id="a currency",
        ),
    ],
)
async def test_what_was_tampered_with_is_found(shop: Shop, change: str, states: set[str]) -> None:
    """By one minor unit."""
    settlement = Settlement(shop)
    await settlement.charge("o1", 1_000, "gbp")
    await shop.later(1)
    await settlement.charge("o2", 2_000, "gbp")
    await paid_out(shop)
    await settlement.settle()
    tamper(shop, change)

    comparison = compared(settlement)

    assert (False, states) == (
        comparison.reconciled,
        {each.state for each in comparison.open_items},
    )


def test_the_oldest_time_is_read_first() -> None:
    """A list day by day, the last without an end; first what is older than a month, in one."""
    now = 100 * DAY_SECONDS
    days = [(day * DAY_SECONDS, (day + 1) * DAY_SECONDS) for day in range(69, 99)]

    assert [(0, 69 * DAY_SECONDS), *days, (99 * DAY_SECONDS, None)] == list(windows(None, now))
    assert [(now - 5, None)] == list(windows(now - 5, now))
    assert [(now + 5, None)] == list(windows(now + 5, now))
