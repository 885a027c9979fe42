"""Quotas of what a client and its customers have open: refused in time, by name, and free again."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.config import Config, ConfigError
from app.console.api.open_orders import OPEN_ORDERS
from app.console.api.problems import Problem
from app.console.api.quotas import ACCEPTED_MS, HOLDINGS, Holdings, Quotas, quotas_of
from app.console.server import make_api
from app.delivery.row import Row, encode_row
from app.registry import load_agents
from tests.support.clients import as_client, client_key
from tests.support.console import CONFIG, ORDER, FakeWorker, directory_of
from workflows.order.messages import OrderPlaced
from workflows.order.state import Mark, Order
from workflows.order.workflow import holding
from workflows.shared.workflow import Holding

QUOTAS = "client_unpaid=3,client_units=100,customer_unpaid=2,customer_units=9"
UNPAID = Holding(customer_id="c1", is_unpaid=True, units=4)


class Shop:
    """A console with small quotas, and a client of it."""

    def __init__(self, client: TestClient, queries: FakeWorker) -> None:
        self.client = client
        self.queries = queries

    async def place(self, key: str, customer_id: str = "", quantity: int = 1) -> Any:
        line = {**ORDER["lines"][0], "quantity": quantity}
        body = {**ORDER, "customer_id": customer_id, "lines": [line]}
        return await self.client.post("/orders", json=body, headers={"Idempotency-Key": key})

    def row(self, order_id: str, **facts: Any) -> None:
        """Let the console read the row of an order from the changelog."""
        state = Order(order_id=order_id, customer_id="c1", bought={"tea": 1})
        [orders] = self.client.app[OPEN_ORDERS]
        orders.receive(order_id, encode_row(Row(state=replace(state, **facts))))

    def order_ids(self) -> list[str]:
        return [each.order_id for each, _ in self.queries.emitted if isinstance(each, OrderPlaced)]


@pytest.fixture
async def shop(tmp_path: Any, aiohttp_client: Any, aiohttp_server: Any) -> Shop:
    """A shop that may have three orders open, two of each customer."""
    load_agents()
    queries = FakeWorker()
    directory = await directory_of(queries, aiohttp_server)
    config = replace(CONFIG, data_dir=str(tmp_path), quotas=QUOTAS)
    asks = (as_client(client_key(tmp_path)),)
    return Shop(
        await aiohttp_client(make_api(queries, queries, directory, config), middlewares=asks),
        queries,
    )


async def refusal(answer: Any) -> dict[str, Any]:
    """Return the quota of a refused request."""
    body = await answer.json()
    assert (429, "application/problem+json") == (answer.status, answer.content_type)
    assert answer.headers["Retry-After"].isdigit()
    assert f"quota {body['quota']['name']}: at most {body['quota']['limit']}" in body["detail"]
    assert "same Idempotency-Key" in body["detail"]
    return dict(body["quota"])


async def test_a_customer_has_so_many_open_and_unpaid_and_others_their_own(shop: Shop) -> None:
    """The refused one is not emitted, and accepted under its key once there is room."""
    for key in ("a", "b"):
        assert 202 == (await shop.place(key, "c1")).status
    over = await shop.place("c", "c1")
    assert {"name": "customer_unpaid", "limit": 2, "used": 2} == await refusal(over)
    assert "c1" not in await over.text()
    assert 202 == (await shop.place("d", "c2")).status
    assert 3 == len(shop.order_ids())

    shop.row(shop.order_ids()[0], payment=Mark(status="completed"))
    assert 202 == (await shop.place("c", "c1")).status


async def test_a_client_has_so_many_of_whichever_customers(shop: Shop) -> None:
    """Guests among them; a repeated request is not a new one."""
    for key in ("a", "b", "c"):
        assert 202 == (await shop.place(key)).status
    assert {"name": "client_unpaid", "limit": 3, "used": 3} == await refusal(await shop.place("d"))
    assert 202 == (await shop.place("a")).status


async def test_units_of_stock_are_bounded_and_the_text_says_what_to_do(shop: Shop) -> None:
    """One order can be too large for any room."""
    over = await shop.place("a", "c1", quantity=10)
    assert "Ask for fewer" in await over.text()
    assert {"name": "customer_units", "limit": 9, "used": 0} == await refusal(over)
    assert 202 == (await shop.place("b", "", quantity=99)).status
    assert "client_units" == (await refusal(await shop.place("c", "", quantity=2)))["name"]


@pytest.mark.parametrize(
    ("facts", "unpaid", "units"),
    [
        pytest.param({}, True, 5, id="new"),
        pytest.param({"payment": Mark(status="action_required")}, True, 5, id="to be confirmed"),
        pytest.param({"payment": Mark(status="authorized")}, False, 5, id="its money is held"),
        pytest.param({"inventory": Mark(status="rejected")}, True, 0, id="out of stock"),
        pytest.param({"cause": "fraud"}, False, 5, id="on its way back, with its items"),
        pytest.param(
            {"payment": Mark(status="completed"), "shipping": Mark(status="created")},
            False,
            0,
            id="shipped",
        ),
        pytest.param({"cancelled_at_ms": 9}, False, 0, id="cancelled"),
        pytest.param({"completed_at_ms": 9}, False, 0, id="completed"),
        pytest.param({"order_id": ""}, False, 0, id="never placed"),
    ],
)
def test_what_an_order_takes_of_quotas(facts: dict[str, Any], unpaid: bool, units: int) -> None:
    """Until it is paid, and until its items have left or are free."""
    state = replace(Order(order_id="o1", customer_id="c1", bought={"tea": 2, "cup": 3}), **facts)

    assert Holding(customer_id="c1", is_unpaid=unpaid, units=units) == holding(state)


def test_a_restarted_console_counts_by_the_rows_that_it_reads(shop: Shop) -> None:
    """And a row that changes replaces what was counted."""
    for number in range(3):
        shop.row(f"12345678-{number}")
    shop.row("12345678-0", cancelled_at_ms=9)
    shop.row("87654321-0")
    holdings = shop.client.app[HOLDINGS]

    assert [(2, 2), (2, 2), (1, 1), (0, 0)] == [
        holdings.used("12345678"),
        holdings.used("12345678", "c1"),
        holdings.used("87654321"),
        holdings.used("12345678", "c2"),
    ]


@pytest.mark.parametrize(
    ("row", "used"),
    [
        pytest.param(None, (0, 0), id="nothing was emitted"),
        pytest.param(UNPAID, (1, 4), id="its row came all the same"),
    ],
)
def test_what_was_not_emitted_does_not_count(row: Holding | None, used: tuple[int, int]) -> None:
    """Kafka may be away, and acknowledge what it had taken."""
    holdings = Holdings(Quotas(), lambda: 0)

    def emit() -> None:
        with holdings.held("shop", "12345678-1", UNPAID):
            if row:
                holdings.put("12345678-1", row)
            raise OSError("Kafka is away")

    with pytest.raises(OSError, match="Kafka"):
        emit()
    assert used == holdings.used("12345678", "c1")


def test_a_repetition_is_no_new_order_though_nobody_can_be_asked() -> None:
    """After a restart the row alone knows it, and no worker may hold that now."""
    holdings = Holdings(Quotas(client_unpaid=1), lambda: 0)
    holdings.put("12345678-1", UNPAID)
    with holdings.held("shop", "12345678-1", UNPAID):
        pass

    assert (1, 4) == holdings.used("12345678")


def test_an_accepted_order_that_never_gets_a_row_is_forgotten() -> None:
    """It was dead-lettered; one with a row counts on."""
    now_ms = [0]
    holdings = Holdings(Quotas(client_unpaid=2), lambda: now_ms[0])
    for name in ("12345678-1", "12345678-2"):
        with holdings.held("shop", name, UNPAID):
            pass
    holdings.put("12345678-2", UNPAID)
    with pytest.raises(Problem), holdings.held("shop", "12345678-3", UNPAID):
        pass

    now_ms[0] = ACCEPTED_MS
    with holdings.held("shop", "12345678-3", UNPAID):
        assert (2, 8) == holdings.used("12345678")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("client_orders=5", id="an unknown name"),
        pytest.param("client_unpaid", id="no number"),
        pytest.param("client_unpaid=-1", id="less than nothing"),
        pytest.param("client_unpaid=many", id="a text"),
    ],
)
def test_a_quota_that_is_none_stops_the_console(text: str) -> None:
    """The message names the setting, and the names that there are."""
    with pytest.raises(ConfigError, match=r"PAYFLOW_QUOTAS: .*customer_units"):
        quotas_of(Config(quotas=text))


def test_the_quotas_of_an_instance_are_those_of_the_table_but_for_what_it_says() -> None:
    """Blanks do not matter."""
    assert Quotas() == quotas_of(Config())
    assert Quotas(client_unpaid=5, customer_units=7) == quotas_of(
        Config(quotas=" client_unpaid = 5 , customer_units=7,")
    )
