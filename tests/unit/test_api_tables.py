"""Tables over HTTP: what is personal is masked, and nobody can be searched by name."""

from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from aiokafka.errors import KafkaConnectionError
from msgspec.structs import replace

from app.console.api import tables
from app.console.api.context import CONTEXT
from app.delivery.row import Row, encode_row
from app.kafka.producer import partition_of
from app.operations.search import topic_facts
from app.operations.search.row_history import History, Version, changed
from app.wire.topics import changelog_topic
from tables import declared
from tests.support.console import CONFIG, FakeWorker
from workflows.fraud.risk import INITIAL
from workflows.inventory.stock import Stock
from workflows.order.messages import Line, OrderPlaced
from workflows.shared.journal import JournalEntry

PEOPLE = ("customer:ann", "customer:bob", "customer:eve")
FINGERPRINTS = ("card:4f2c", "device:9a1b", "address:7e3d")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def emitted(queries: FakeWorker) -> FakeWorker:
    """An instance that knows three customers, other entities, and an event with a person in it."""
    for key in (*PEOPLE, *FINGERPRINTS, "terminal:t1"):
        queries.keep("risk", key, INITIAL)
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
    queries.keep("journal", "o1|1|e1", {"id": "e1", "body": msgspec.to_builtins(placed)})
    return queries


class Past:
    """What the changelog is taken to say."""

    def __init__(self) -> None:
        self.versions: tuple[Version, ...] = ()
        self.asked: list[tuple[str, int, bytes]] = []
        self.fails: Exception | None = None

    async def history(self, _config: Any, topic: str, partition: int, key: bytes) -> History:
        if self.fails is not None:
            raise self.fails
        self.asked.append((topic, partition, key))
        return History(
            topic=topic,
            partition=partition,
            begin=10,
            last=19,
            end=30,
            why="time",
            versions=self.versions,
        )


@pytest.fixture(autouse=True)
def past(monkeypatch: pytest.MonkeyPatch) -> Past:
    """A changelog with the records that a test gives it."""
    past = Past()
    monkeypatch.setattr(tables, "history", past.history)
    return past


def version(offset: int, state: Any) -> Version:
    body = None if state is None else encode_row(Row(state=state))
    return Version(offset=offset, at_ms=1_000 + offset, body=body)


async def rows(client: TestClient, path: str) -> Any:
    return await (await client.get(path)).json()


@pytest.mark.usefixtures("emitted")
async def test_people_are_masked_in_rows_and_keys(client: TestClient) -> None:
    """Neither their fields, nor keys that name them, nor texts in which they are named."""
    texts = [await (await client.get(f"/tables/{name}")).text() for name in ("risk", "journal")]

    hidden = ("ann", "bob", "eve", "pm_card_visa", "4f2c", "9a1b", "7e3d")

    assert not [name for name in hidden if name in "".join(texts)]
    assert "terminal:t1" in texts[0]


@pytest.mark.usefixtures("emitted")
async def test_a_stand_in_leads_to_the_row_and_on(client: TestClient) -> None:
    """A page ends with one; the next begins behind it; the row is found by it."""
    first = await rows(client, "/tables/risk?limit=2&prefix=customer:")
    second = await rows(
        client, f"/tables/risk?limit=9&prefix=customer:&after={quote(first['next'])}"
    )
    keys = [row["key"] for row in first["rows"] + second["rows"]]
    last_row = await rows(client, f"/tables/risk/{quote(keys[-1], safe='')}")

    assert 3 == len(set(keys)) == len(keys)
    assert keys[-1] == last_row["key"]
    assert all(key.startswith("customer:~") for key in keys)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tables/risk/customer:ann", 400),
        ("/tables/risk?prefix=customer:a", 400),
        ("/tables/risk?after=customer:a", 400),
        ("/tables/risk/customer:~0123", 404),
        ("/tables/risk?prefix=card:4", 400),
        ("/tables/risk?after=device:9", 400),
        ("/tables/risk?prefix=customer:%20", 400),
        ("/tables/risk?prefix=card:", 200),
        ("/tables/risk/card:4f2c", 400),
        ("/tables/stock?prefix=card:4", 400),
        ("/history/risk/customer:ann", 400),
        ("/console/tables/risk/row?key=customer:ann", 400),
        ("/console/tables/risk/row", 400),
        ("/console/tables/nosuch", 404),
        ("/console/tables/nosuch/row?key=a", 404),
        ("/console/tables/stock/row?key=..", 404),
        ("/console/tables/stock/row?key=a&partition=99", 400),
    ],
)
@pytest.mark.usefixtures("emitted")
async def test_nobody_is_looked_for_by_name(
    past: Past, client: TestClient, path: str, status: int
) -> None:
    """Or an answer would confirm a guess, and a fingerprint could be spelled out."""
    past.versions = ()
    assert status == (await client.get(path)).status


async def test_the_page_of_a_table_shows_its_rows(emitted: FakeWorker, client: TestClient) -> None:
    """Hostile keys stay text, people are masked there too."""
    emitted.keep("stock", SCRIPT, {"on_hand": SCRIPT})
    page = await (await client.get("/console/tables/stock")).text()
    people = await (await client.get("/console/tables/risk")).text()

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert not [name for name in ("ann", "4f2c") if name in people]


async def test_rows_of_one_key_are_never_torn_apart(
    queries: FakeWorker, client: TestClient
) -> None:
    """Figures have a row a partition: a page is so much longer, the next begins behind them."""
    for partition in range(CONFIG.partitions):
        for key in ("a", "b"):
            queries.rows[("analytics", f"{key}{partition}")] = {
                "key": key,
                "partition": partition,
                "state": {"counts": {"orders": partition}},
                "context": {},
            }
    first = await rows(client, "/tables/analytics?limit=1")
    every = await rows(client, "/tables/analytics?limit=9")
    one = await rows(client, "/tables/analytics/a?partition=2")

    assert ["a"] * CONFIG.partitions == [row["key"] for row in first["rows"]]
    assert ("a", None) == (first["next"], every["next"])
    assert 2 * CONFIG.partitions == len(every["rows"])
    assert {"counts": {"orders": 2}} == one["state"]


async def test_a_row_is_shown_with_what_it_was(
    past: Past, queries: FakeWorker, client: TestClient
) -> None:
    """The latest first, each with what changed, and what was read for them."""
    queries.keep("stock", SCRIPT, Stock(on_hand=7))
    states = (Stock(on_hand=5), None, Stock(on_hand=7), Stock(on_hand=9))
    past.versions = tuple(version(at, state) for at, state in enumerate(states, 11))
    page = await (await client.get(f"/console/tables/stock/row?key={quote(SCRIPT)}")).text()
    history = await rows(client, f"/history/stock/{quote(SCRIPT, safe='')}")

    assert page.index(">14<") < page.index(">12<") < page.index(">11<")
    assert "read offsets 10 to 19 of 10 to 29." in page
    assert "There was no time for the rest" in page
    assert "✗ deleted" in page
    assert "<script>alert" not in page
    assert ['- "on_hand": 7,', '+ "on_hand": 9,'] == history["versions"][3]["changed"]
    lies_in = partition_of(SCRIPT.encode(), CONFIG.partitions)
    assert {(changelog_topic(declared["stock"]), lies_in, SCRIPT.encode())} == set(past.asked)


async def test_nobody_is_shown_in_what_a_row_was(past: Past, client: TestClient) -> None:
    """Bodies of the journal are masked as they are elsewhere."""
    body = {"customer_id": "ann", "lines": [{"payment_method": "pm_card_visa"}]}
    past.versions = (version(11, JournalEntry(id="e1", body=body)), version(12, None))
    page = await (await client.get("/console/tables/journal/row?key=o1")).text()
    history = await (await client.get("/history/journal/o1")).text()

    assert "There is no such row any more." in page
    for text in (page, history):
        assert "customer_id" in text
        assert "***" in text
        assert not [name for name in ("ann", "pm_card_visa") if name in text.replace("cannot", "")]


async def test_a_row_is_shown_without_its_history(
    past: Past, queries: FakeWorker, client: TestClient
) -> None:
    """Kafka does not answer: what the row is now is known all the same."""
    queries.keep("stock", "tea", Stock(on_hand=7))
    past.fails = KafkaConnectionError()
    page = await (await client.get("/console/tables/stock/row?key=tea")).text()

    assert "on_hand" in page
    assert "Its history cannot be read now" in page
    assert 503 == (await client.get("/history/stock/tea")).status


async def test_tables_say_what_nobody_holds(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are held here; how large they are is not known while Kafka does not answer."""

    async def nothing(_config: Any, *, internal: bool = False) -> Any:
        raise KafkaConnectionError(internal)

    monkeypatch.setattr(topic_facts, "topics", nothing)
    table_list = (await rows(client, "/tables"))["tables"]
    page = await (await client.get("/console/tables")).text()

    assert {((), None)} == {(tuple(t["held_by_nobody"]), t["changelog"]) for t in table_list}
    assert "by nobody" not in page
    worker = client.app[CONTEXT].directory.workers()[0]
    client.app[CONTEXT].directory.receive(msgspec.json.encode(replace(worker, at_ms=0)))
    assert "✗ 0, 1, 2, 3 by nobody" in await (await client.get("/console/tables")).text()


def test_what_changed_is_said_line_by_line() -> None:
    """Without what stayed; what was not there yet, or was deleted, has no lines."""
    assert ["+7"] == changed(None, 7)
    assert ["-7"] == changed(7, None)
    assert ['- "a": 1,', '+ "a": 2,'] == changed({"a": 1, "b": 3}, {"a": 2, "b": 3})
