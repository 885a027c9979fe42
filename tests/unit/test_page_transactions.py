"""The pages of transactions, over an instance in dicts."""

import time

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.entrypoints import requests
from app.entrypoints.requests import Entrypoints
from tests.support.console import FakeWorker, place
from tests.support.operators_site import WHY, Site
from workflows.audit.messages import PersonalRevealed
from workflows.order.messages import OrderCancelRequested
from workflows.order.return_amount import ReturnAmount, Sale, SaleLine
from workflows.order.returns import Return, Returns
from workflows.order.state import Mark, Order
from workflows.payment.charge import Bill, Charge
from workflows.payment.process import Payment
from workflows.shared.journal import JournalEntry, row_of
from workflows.shared.message import type_name
from workflows.shared.retry import Wait

SCRIPT = "<script>alert(1)</script>"


def emitted(event_id: str, cause: str, at_ms: int, body: dict[str, str]) -> JournalEntry:
    return JournalEntry(
        id=event_id,
        type=f"payflow.order.{SCRIPT}",
        source=f"/payflow/{SCRIPT}",
        time_ms=at_ms,
        causation_id=cause,
        correlation_id="o1",
        traceparent=SCRIPT,
        body=body,
    )


@pytest.fixture
def order(queries: FakeWorker) -> FakeWorker:
    """An instance with an order of two events, scripts in all of them, and somebody in one."""
    queries.keep("order", "o1", Order(order_id="o1", placed_at_ms=1_000, country=SCRIPT))
    for name in ("payment", "inventory", "ledger", "notification", "messenger"):
        queries.keep(name, "o1", {"customer_id": "ann", "detail": SCRIPT})
    for entry in (
        emitted("e1", "", 1_000, {"customer_id": "ann", "note": SCRIPT}),
        emitted("e2", "e1", 1_250, {"party": "customer:ann"}),
    ):
        queries.keep("journal", row_of(entry), msgspec.to_builtins(entry))
    return queries


@pytest.mark.usefixtures("order")
async def test_a_transaction_is_drawn_and_nothing_of_it_runs(client: TestClient) -> None:
    """Two events, who caused what, what is awaited; scripts are text, people are masked."""
    page = await (await client.get("/console/transactions/o1")).text()

    assert page.count("&lt;script&gt;") > 8
    assert "<script>alert" not in page
    assert "ann" not in page.replace("cannot", "").replace("channel", "")
    assert "every shelf to say whether it has the items" in page
    assert "Waterfall of 2 events" in page
    assert "<td>250 ms</td>" in page


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/transactions/none", 404),
        ("/console/transactions/o1?at=3", 400),
        ("/console/transactions/o1?at=x", 400),
        ("/console/transactions?status=lost", 400),
        ("/console/transactions?q=%00", 400),
        ("/console/transactions?q=" + "9" * 201, 400),
    ],
)
async def test_what_is_not_there_is_said(client: TestClient, path: str, status: int) -> None:
    """As a page, never as a fault of ours."""
    answer = await client.get(path)

    assert (status, "text/html") == (answer.status, answer.content_type)


@pytest.mark.usefixtures("order")
async def test_an_order_id_leads_to_its_page(client: TestClient) -> None:
    """At once, also one that has to be quoted."""
    answer = await client.get("/console/transactions?q=o1", allow_redirects=False)

    assert (303, "/console/transactions/o1") == (answer.status, answer.headers["Location"])


@pytest.mark.usefixtures("order")
async def test_orders_of_one_status_are_found(client: TestClient) -> None:
    """With what was read for them."""
    stuck = await (await client.get("/console/transactions?status=stuck")).text()
    completed = await (await client.get("/console/transactions?status=completed")).text()

    assert "/console/transactions/o1" in stuck
    assert "1 orders were read" in stuck
    assert "No order is completed" in completed


@pytest.mark.usefixtures("order")
async def test_who_is_not_signed_in_sees_no_form_that_acts(client: TestClient) -> None:
    """Only how to sign in."""
    page = await (await client.get("/console/transactions/o1")).text()

    assert "data-act" not in page
    assert "/console/sign-in?next=/console/transactions/o1" in page


BILL = Bill(
    transaction_id="o1",
    customer_id="17850",
    country="France",
    currency="GBP",
    total_minor=500,
    goods_minor=500,
    payment_method="pm_card_visa",
    ordered_at_ms=1,
)
UNKNOWN = Charge(asked="charge", unknown_since_ms=2_000, reason=SCRIPT, wait=Wait(tries=4))
CUSTOMER = "/operators/orders-of-customer"


async def test_an_order_that_is_only_accepted_has_a_page(client: TestClient) -> None:
    """Whoever placed it is led there at once, before any service has known it."""
    order_id = (await (await place(client)).json())["order_id"]

    answer = await client.get(f"/console/transactions/{order_id}")
    page = await answer.text()

    assert 200 == answer.status
    assert "accepted" in page
    assert f'hx-get="/console/transactions/{order_id}"' in page


@pytest.mark.usefixtures("order")
async def test_a_page_moves_only_while_something_is_to_come(
    client: TestClient, queries: FakeWorker
) -> None:
    """What is read (opened) lies apart from what moves; ended, or at an event, all of it rests."""
    page = await (await client.get("/console/transactions/o1")).text()
    moving, still = page.split('<div id="below"')
    queries.keep("order", "o1", Order(order_id="o1", placed_at_ms=1_000, completed_at_ms=2_000))
    late = emitted("e3", "e2", round(time.time() * 1_000), {})
    ended = await (await client.get("/console/transactions/o1")).text()

    assert 'hx-get="/console/transactions/o1"' in moving
    assert "<details" not in moving
    assert "<details" in still
    assert "hx-get" not in ended

    queries.keep("journal", row_of(late), msgspec.to_builtins(late))
    settling = await (await client.get("/console/transactions/o1")).text()

    assert 'hx-get="/console/transactions/o1"' in settling


async def test_who_is_asked_again_is_said_without_naming_anybody(
    client: TestClient, queries: FakeWorker
) -> None:
    """How often, why, and in the rows nothing of the customer."""
    queries.keep("order", "o1", Order(order_id="o1", placed_at_ms=1_000))
    queries.keep("payment", "o1", Payment(bill=BILL, charge=UNKNOWN))

    page = await (await client.get("/console/transactions/o1")).text()
    emitted = await (await client.get("/transactions/o1")).json()

    assert "what became of the charge" in page
    assert "4 waits were in vain (&lt;script&gt;" in page
    assert SCRIPT not in page
    assert [4] == [each["tries"] for each in emitted["retried_calls"]]
    for text in (page, str(emitted)):
        assert "17850" not in text
        assert "pm_card_visa" not in text


@pytest.mark.usefixtures("order")
async def test_a_program_is_emitted_what_the_page_shows(client: TestClient) -> None:
    """Events with their numbers and times; what is not known is nothing, not zero."""
    emitted = await (await client.get("/transactions/o1")).json()

    assert "stuck" == emitted["order"]["status"]
    assert [(1, None, None), (2, 1, None)] == [
        (each["number"], each["cause"], each["waited_ms"]) for each in emitted["events"]
    ]
    # Bodies of no declared type: nobody says what they may show.
    assert [{"***": "***"}] * 2 == [each["body"] for each in emitted["events"]]


@pytest.mark.usefixtures("order")
async def test_an_event_says_when_its_cause_was_taken_up(
    client: TestClient, queries: FakeWorker
) -> None:
    """Its waiting and its working are told apart where the journal knows both."""
    entry = replace(emitted("e3", "e2", 1_750, {}), received_ms=1_500)
    queries.keep("journal", row_of(entry), msgspec.to_builtins(entry))

    page = await (await client.get("/console/transactions/o1")).text()
    events = (await (await client.get("/transactions/o1")).json())["events"]

    assert "taken up at" in page
    assert (250, 250) == (events[2]["waited_ms"], events[2]["worked_ms"])


async def test_a_huge_order_is_a_page_of_a_usual_size(
    client: TestClient, queries: FakeWorker
) -> None:
    """Of long bodies and rows the beginning is shown, and how much there is."""
    bought = {f"sku-{at}": 1 for at in range(5_000)}
    queries.keep("order", "o1", Order(order_id="o1", placed_at_ms=1_000, bought=bought))
    entry = emitted("e1", "", 1_000, {"reason": "x" * 90_000})
    entry = replace(entry, type=type_name(OrderCancelRequested))
    queries.keep("journal", row_of(entry), msgspec.to_builtins(entry))

    page = await (await client.get("/console/transactions/o1")).text()

    assert len(page) < 30_000
    assert 2 == page.count("characters more")


async def test_presets_choose_by_what_became_of_orders(
    client: TestClient, queries: FakeWorker
) -> None:
    """Failed payments, and what was compensated after money or items had moved."""
    failed = Order(order_id="o-failed", placed_at_ms=1, cause="payment_failed", cancelled_at_ms=2)
    back = Order(
        order_id="o-back",
        placed_at_ms=1,
        cause="fraud",
        inventory=Mark(status="released", at_ms=2),
        cancelled_at_ms=3,
    )
    for state in (failed, back):
        queries.keep("order", state.order_id, state)

    page_by_status = {
        name: await (await client.get(f"/console/transactions?status={name}")).text()
        for name in ("failed_payment", "compensated", "cancelled")
    }

    assert {
        "failed_payment": (True, False),
        "compensated": (False, True),
        "cancelled": (True, True),
    } == {
        name: ("transactions/o-failed" in page, "transactions/o-back" in page)
        for name, page in page_by_status.items()
    }


async def test_more_orders_than_a_page_holds_are_paged(
    client: TestClient, queries: FakeWorker
) -> None:
    """Each is on one page."""
    for at in range(100):
        queries.keep("order", f"o{at:03}", Order(order_id=f"o{at:03}", placed_at_ms=1 + at))

    first = await (await client.get("/transactions?status=stuck")).json()
    rest = await (await client.get(f"/transactions?status=stuck&after={first['next']}")).json()

    ids = [each["order_id"] for each in (*first["orders"], *rest["orders"])]
    assert (60, 40, 100) == (len(first["orders"]), len(rest["orders"]), len(set(ids)))
    assert rest["next"] is None


async def test_orders_of_a_customer_are_found_by_operators_and_written_down(site: Site) -> None:
    """Only ids are shown; the audit of each order says who asked, and why; no customer appears."""
    site.queries.keep("payment", "o1", Payment(bill=BILL))
    site.queries.keep("payment", "o2", Payment())
    body = {"customer_id": "17850", "why": "a call"}

    statuses = [
        (await site.client.post(CUSTOMER, json=body, headers=headers)).status
        for headers in ({}, site.machine("vic"))
    ]
    before = list(site.emitted)
    answer = await site.client.post(CUSTOMER, json=body, headers=site.machine("oda"))

    (action,) = site.emitted
    assert ([401, 403], []) == (statuses, before)
    assert (["o1"], None) == ((await answer.json())["ids"], (await answer.json())["next"])
    assert isinstance(action, PersonalRevealed)
    assert ("o1", "oda", "a call", ("customer_id",)) == (
        action.about,
        action.who,
        action.why,
        action.fields,
    )
    assert "17850" not in str(action)


async def test_a_search_for_a_customer_without_a_match_is_audited(site: Site) -> None:
    """That somebody has ordered nothing is an answer too; their name is not in the audit."""
    body = {"customer_id": "17850", "why": "a call"}

    answer = await site.client.post(CUSTOMER, json=body, headers=site.machine("oda"))

    (action,) = site.emitted
    assert [] == (await answer.json())["ids"]
    assert isinstance(action, PersonalRevealed)
    assert ("oda", "a call") == (action.who, action.why)
    assert "17850" not in str(action)


async def test_who_may_act_is_offered_what_they_may(site: Site) -> None:
    """An approver: refund under a number of its own, approval, personal fields revealed."""
    site.queries.keep("order", "o1", Order(order_id="o1", placed_at_ms=1, completed_at_ms=2))
    headers = await site.page("pat")

    pages = [
        await (await site.client.get("/console/transactions/o1", headers=headers)).text()
        for _ in range(2)
    ]

    numbers = {page.split('name="refund_id"')[1].split('value="')[1][:8] for page in pages}
    assert 2 == len(numbers)
    assert all('id="approve"' in page and "data-reveal" in page for page in pages)


@pytest.mark.usefixtures("order")
async def test_a_workflow_that_no_request_starts_has_a_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transactions begin on a topic: nothing links to requests, and operators may only look."""
    none = Entrypoints(workflows=(), commands=(), webhooks=(), loads=())
    monkeypatch.setattr(requests, "load_entrypoints", lambda: none)
    cookie, _ = await site.signed_in("pat")

    page = await site.client.get("/console/transactions/o1", headers=cookie)
    refusal = await site.client.post(
        "/operators/orders/o1/cancel", json=WHY, headers=site.machine("oda")
    )

    assert (200, 404) == (page.status, refusal.status)
    assert "/events" not in await page.text()
    assert "operators may not act" in await refusal.text()


async def test_the_page_shows_lines_and_how_each_refund_is_computed(
    client: TestClient, queries: FakeWorker
) -> None:
    """Units shipped and returned; a refusal with its reason; the SKU is text."""
    computed = ReturnAmount(items_minor=400, discount_minor=40)
    returns = Returns(
        sale=Sale(lines=(SaleLine(sku=SCRIPT, units=3, amount_minor=600),)),
        by_id={
            "r1": Return(status="accepted", amount_minor=360, computed=computed, refunded=True),
            "r2": Return(status="refused", reason="more of mug than was shipped"),
            "goodwill-1": Return(status="accepted", amount_minor=5, is_goodwill=True),
        },
        units_by_line=(2,),
    )
    shipped = Mark(status="created", at_ms=2_000)
    order = Order(order_id="o1", placed_at_ms=1_000, currency="GBP", shipping=shipped)
    queries.keep("order", "o1", replace(order, returns=returns))

    page = " ".join((await (await client.get("/console/transactions/o1")).text()).split())

    assert "<td>3</td><td>6.00 GBP</td><td>3</td><td>2</td>" in page
    assert "3.60 GBP went back (4.00 GBP items - 0.40 GBP discount)." in page
    assert "more of mug than was shipped." in page
    assert "Goodwill <strong>goodwill-1</strong> is accepted" in page
    assert SCRIPT not in page


async def test_a_long_order_shows_its_first_lines(client: TestClient, queries: FakeWorker) -> None:
    """The page says how many there are."""
    lines = tuple(SaleLine(sku=f"sku-{at}", units=1, amount_minor=1) for at in range(60))
    order = Order(order_id="o1", placed_at_ms=1_000, currency="GBP")
    queries.keep("order", "o1", replace(order, returns=Returns(sale=Sale(lines=lines))))

    page = await (await client.get("/console/transactions/o1")).text()

    assert "The first 50 of 60 lines" in page
    assert ("sku-49<" in page, "sku-50<" in page) == (True, False)
