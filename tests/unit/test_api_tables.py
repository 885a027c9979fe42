"""Tables over HTTP: what is personal is masked, and nobody is looked for by name."""

from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from app.scan.history import changed
from tests.unit.test_api import FakeHouse, client, house
from workflows.risk import INITIAL
from workflows.words.order import Line, OrderPlaced

__all__ = ["client", "house"]

PEOPLE = ("customer:ann", "customer:bob", "customer:eve")


@pytest.fixture
def told(house: FakeHouse) -> FakeHouse:
    """A house that knows three customers, a card, and an event with a person in it."""
    for key in (*PEOPLE, "card:c1"):
        house.keep("risk", key, INITIAL)
    placed = OrderPlaced(
        order_id="o1",
        customer_id="ann",
        country="France",
        currency="GBP",
        lines=(Line(sku="tea", quantity=1, amount_minor=5, description="for customer:ann"),),
        total_minor=5,
        payment_method="pm_card_visa",
        ordered_at_ms=1,
    )
    house.keep("journal", "o1|1|e1", {"id": "e1", "body": msgspec.to_builtins(placed)})
    return house


async def rows(client: TestClient, path: str) -> Any:
    return await (await client.get(path)).json()


@pytest.mark.usefixtures("told")
async def test_people_are_masked_in_rows_and_keys(client: TestClient) -> None:
    """Neither their fields, nor keys that name them, nor texts in which they are named."""
    said = [await (await client.get(f"/tables/{name}")).text() for name in ("risk", "journal")]

    assert not [name for name in ("ann", "bob", "eve", "pm_card_visa") if name in "".join(said)]
    assert "card:c1" in said[0]


@pytest.mark.usefixtures("told")
async def test_a_stand_in_leads_to_the_row_and_on(client: TestClient) -> None:
    """A page ends with one; the next begins behind it; the row is found by it."""
    first = await rows(client, "/tables/risk?limit=2&prefix=customer:")
    second = await rows(client, f"/tables/risk?limit=9&after={quote(first['next'])}")
    keys = [row["key"] for row in first["rows"] + second["rows"]]
    found = await rows(client, f"/tables/risk/{quote(keys[-1], safe='')}")

    assert 3 == len(set(keys)) == len(keys)
    assert keys[-1] == found["key"]
    assert all(key.startswith("customer:~") for key in keys)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tables/risk/customer:ann", 400),
        ("/tables/risk?prefix=customer:a", 400),
        ("/tables/risk?after=customer:a", 400),
        ("/tables/risk/customer:~0123", 404),
        ("/history/risk/customer:ann", 400),
        ("/console/tables/risk/row?key=customer:ann", 400),
        ("/console/tables/risk/row", 400),
    ],
)
@pytest.mark.usefixtures("told")
async def test_nobody_is_looked_for_by_name(client: TestClient, path: str, status: int) -> None:
    """Or a guess would be told whether it was right."""
    assert status == (await client.get(path)).status


async def test_the_page_of_a_table_shows_its_rows(told: FakeHouse, client: TestClient) -> None:
    """Hostile keys stay text, people are masked there too."""
    told.keep("stock", "<script>alert(1)</script>", {"on_hand": 1})
    page = await (await client.get("/console/tables/stock")).text()
    people = await (await client.get("/console/tables/risk")).text()

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "ann" not in people


def test_what_changed_is_said_line_by_line() -> None:
    """Without what stayed."""
    assert ['- "a": 1,', '+ "a": 2,'] == changed({"a": 1, "b": 3}, {"a": 2, "b": 3})
