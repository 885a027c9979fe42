"""Whose word counts on when something began: that of who may backdate, else the clock's."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.delivery.processor import run_batch
from app.delivery.row import decode_row
from app.registry import load_agents
from app.wire.signing import SIGNATURE
from tables import Table
from tests.support.agents import as_record
from tests.support.clients import bearer, client_key
from tests.support.console import ORDER, FakeWorker, place
from tests.support.runtime import FakeRuntime
from tests.support.simulation.world import Troubles, World
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.stock_messages import ReceiveStock
from workflows.order.messages import OrderPlaced

NOW_MS = 1_700_000_000_000
TEN_MINUTES_MS = 600_000


async def nine_orders(client: TestClient, queries: FakeWorker) -> list[OrderPlaced]:
    """Return nine orders of one customer, placed at once, said to be ten minutes apart."""
    for number in range(9):
        said_ms = NOW_MS + number * TEN_MINUTES_MS
        body = {**ORDER, "customer_id": "c1", "ordered_at_ms": said_ms}
        assert 202 == (await place(client, body, f"k{number}")).status
    return [message for message, _ in queries.emitted if isinstance(message, OrderPlaced)]


def blocked(placed: list[OrderPlaced]) -> int:
    """Return how many of the orders fraud stops, of those that it judges."""
    with closing(asyncio.new_event_loop()) as loop:
        world = World(1, Troubles(1, frozenset()), loop)
        world.say(ReceiveStock(receipt_id="r", sku="tea", quantity=99), "r", "tea", {})
        for each in placed:
            world.say(each, each.order_id, each.order_id, {"workflow": "order"})
        world.drain()
        verdicts = world.messages("fraud")
    assert len(placed) == sum(isinstance(each, FraudCleared | FraudDetected) for each in verdicts)
    return sum(isinstance(each, FraudDetected) for each in verdicts)


async def test_nine_orders_at_once_are_nine_orders_at_once(
    client: TestClient, queries: FakeWorker
) -> None:
    """Whatever they say of their times."""
    placed = await nine_orders(client, queries)

    assert max(each.ordered_at_ms for each in placed) > NOW_MS + 9 * TEN_MINUTES_MS
    assert 5 == await asyncio.to_thread(blocked, placed)


async def test_who_may_backdate_is_believed(
    client: TestClient, queries: FakeWorker, tmp_path: Path
) -> None:
    """The file of a shop keeps the times at which its customers ordered."""
    key = client_key(tmp_path, "importer", ["orders:write", "orders:backdate"])
    client.session.headers.update(bearer(key))

    placed = await nine_orders(client, queries)

    said_ms = [NOW_MS + number * TEN_MINUTES_MS for number in range(9)]
    assert said_ms == [each.ordered_at_ms for each in placed]
    assert 0 == await asyncio.to_thread(blocked, placed)


async def test_nobody_ordered_later_than_now(
    client: TestClient, queries: FakeWorker, tmp_path: Path
) -> None:
    """Fraud would count it in hours to come. Clocks differ by five minutes at most."""
    key = client_key(tmp_path, "importer", ["orders:write", "orders:backdate"])
    client.session.headers.update(bearer(key))
    now_ms = time.time_ns() // 1_000_000

    soon, late = [
        await place(client, {**ORDER, "ordered_at_ms": now_ms + ahead_ms}, f"k{ahead_ms}")
        for ahead_ms in (200_000, TEN_MINUTES_MS)
    ]

    assert (202, 400) == (soon.status, late.status)
    assert "ordered_at_ms" == (await late.json())["errors"][0]["field"]
    assert 1 == len(queries.emitted)


async def test_the_rule_is_in_the_document(client: TestClient) -> None:
    """A client reads there what becomes of the time that it sends."""
    document = await (await client.get("/openapi.json")).json()

    fields = document["components"]["schemas"]["OrderAsked"]["properties"]
    assert "orders:backdate" in str(fields["ordered_at_ms"])


# --- times on the open topic ----------------------------------------------------------

OF_OTHERS = OrderPlaced(
    order_id="o1",
    country="France",
    currency="GBP",
    lines=(),
    total_minor=400,
    payment_method="pm",
    ordered_at_ms=5,
)


async def state_of(name: str, headers: tuple[tuple[str, bytes], ...] = ()) -> Any:
    """Return what an agent remembers of an order that came to the broker at NOW_MS."""
    agent, runtime = load_agents()[name], FakeRuntime()
    table = agent.table
    assert isinstance(table, Table)
    record = as_record(OF_OTHERS, 0, time_ms=1_000, at_ms=NOW_MS)
    record = replace(record, headers=(*record.headers, *headers))
    await run_batch(agent, runtime, [record])
    return decode_row(table, runtime.rows[table.name, 0, b"o1"]).state


async def test_an_order_of_others_was_placed_when_it_arrived() -> None:
    """By the broker's clock: neither its field nor its ce_time says when."""
    payment, placed = await state_of("payment"), await state_of("order")

    assert (NOW_MS, NOW_MS) == (payment.bill.ordered_at_ms, placed.placed_at_ms)


async def test_an_order_of_the_api_keeps_its_times() -> None:
    """Those were decided when it was received; they are signed."""
    signed = ((SIGNATURE, b"genuine, says the runtime"),)
    payment, placed = await state_of("payment", signed), await state_of("order", signed)

    assert (5, 1_000) == (payment.bill.ordered_at_ms, placed.placed_at_ms)
