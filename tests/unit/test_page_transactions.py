"""The pages of transactions, over a house in dicts."""

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from tests.unit.test_api import FakeHouse, client, house
from workflows.journal import JournalEntry, row_of
from workflows.progress import Order

__all__ = ["client", "house"]

SCRIPT = "<script>alert(1)</script>"


def told(event_id: str, cause: str, at_ms: int, body: dict[str, str]) -> JournalEntry:
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
def order(house: FakeHouse) -> FakeHouse:
    """A house with an order of two events, scripts in all of them, and somebody in one."""
    house.keep("order", "o1", Order(order_id="o1", placed_at_ms=1_000, country=SCRIPT))
    for name in ("payment", "inventory", "ledger", "notification", "messenger"):
        house.keep(name, "o1", {"customer_id": "ann", "detail": SCRIPT})
    for entry in (
        told("e1", "", 1_000, {"customer_id": "ann", "note": SCRIPT}),
        told("e2", "e1", 1_250, {"party": "customer:ann"}),
    ):
        house.keep("journal", row_of(entry), msgspec.to_builtins(entry))
    return house


@pytest.mark.usefixtures("order")
async def test_a_transaction_is_drawn_and_nothing_of_it_runs(client: TestClient) -> None:
    """Two events, who caused what, what is awaited; scripts are text, people are masked."""
    page = await (await client.get("/console/transactions/o1")).text()

    assert page.count("&lt;script&gt;") > 8
    assert "<script>alert" not in page
    assert "ann" not in page.replace("cannot", "").replace("channel", "")
    assert "every shelf to say whether it has the goods" in page
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
    """With what was looked at for them."""
    stuck = await (await client.get("/console/transactions?status=stuck")).text()
    completed = await (await client.get("/console/transactions?status=completed")).text()

    assert "/console/transactions/o1" in stuck
    assert "1 orders were looked at" in stuck
    assert "No order is completed" in completed


@pytest.mark.usefixtures("order")
async def test_who_is_not_signed_in_sees_no_form_that_acts(client: TestClient) -> None:
    """Only how to sign in."""
    page = await (await client.get("/console/transactions/o1")).text()

    assert "data-act" not in page
    assert "/console/sign-in?next=/console/transactions/o1" in page
