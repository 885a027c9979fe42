"""Topics over records in lists: found with what was read, masked, harmless, as files too."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import repeat
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientPayloadError
from aiohttp.test_utils import TestClient
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from app.console.api import streams
from app.console.api import topics as api
from app.console.api.searches import SHARES
from app.console.pages import topics
from app.kafka.errors import InspectionError, NoSuchTopic
from app.operations.search import search_process, topic_facts
from app.operations.search.consumer_groups import Behind, Group, Member
from app.operations.search.question import Begun
from app.operations.search.record_view import RecordView
from app.operations.search.scan_events import Found
from app.operations.search.topic_facts import PartitionFacts, TopicFacts
from tests.support.consumer import FakeConsumer, FakeRecord
from tests.support.searches import search_locally

SCRIPT = "<script>alert(1)</script>"
NAME, EACH = "orders", 150
PLACED = "payflow.order.placed.v1"
BODY = {"type": PLACED, "order_id": "o1", "customer_id": "ann", "note": f"{SCRIPT} customer:bob"}
LIST = {"type": "payflow.fraud.list_put.v1", "name": "watched", "values": ["zoe"], "by": "olga"}


def event(partition: int, offset: int, key: str, body: Any, kind: str = PLACED) -> FakeRecord:
    headers = (
        ("ce_type", kind.encode()),
        ("ce_correlationid", f"tx {SCRIPT}".encode()),
        ("customer", b"carl"),
    )
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FakeRecord(
        NAME, partition, offset, key.encode(), value, headers, timestamp=1_000 + offset
    )


def logs() -> dict[int, list[FakeRecord]]:
    """Two partitions; what is odd lies at the end of the second."""
    records_by_partition = {
        p: [event(p, at, f"k{at}", {"n": at}) for at in range(EACH)] for p in (0, 1)
    }
    records_by_partition[1][-5:] = [
        event(1, EACH - 5, "customer: dora", {"entity": "customer: dora"}),
        event(1, EACH - 4, "needle", BODY),
        event(1, EACH - 3, '=1+"x"', b"=cmd|' /C calc'!A0"),
        event(1, EACH - 2, "list", LIST, str(LIST["type"])),
        event(1, EACH - 1, SCRIPT, {SCRIPT: SCRIPT}, SCRIPT),
    ]
    return records_by_partition


class Kafka:
    """What the pages ask, answered from lists."""

    def __init__(self) -> None:
        self.logs = logs()
        self.fails: Exception | None = None

    @asynccontextmanager
    async def reader(self, _config: Any) -> AsyncIterator[FakeConsumer]:
        yield FakeConsumer(self.logs, dict.fromkeys(self.logs, EACH), repeat(40))

    async def places(self, _config: Any, topic: str) -> list[TopicPartition]:
        self._check_topic(topic)
        return [TopicPartition(topic, partition) for partition in self.logs]

    def _check_topic(self, topic: str) -> None:
        if self.fails is not None:
            raise self.fails
        if topic != NAME:
            raise NoSuchTopic(f"there is no topic {topic!r}")

    async def topic_facts(self, _config: Any, topic: str) -> TopicFacts:
        self._check_topic(topic)
        return about(NAME)

    async def topics(self, _config: Any, *, internal: bool = False) -> list[TopicFacts]:
        return [about(NAME), about(SCRIPT), *([about("t-changelog")] if internal else [])]

    async def groups(self, _config: Any, only: str = "") -> list[Group]:
        if only not in ("", SCRIPT):
            raise InspectionError(f"there is no group {only!r}")
        return [GROUP]


def about(name: str) -> TopicFacts:
    """Two partitions, kept for a day."""
    part = {"begin": 0, "end": EACH, "bytes": 5_000, "leader": 1, "replicas": (1,), "in_sync": (1,)}
    return TopicFacts(
        name=name,
        records=2 * EACH,
        bytes=10_000,
        retention_ms=86_400_000,
        cleanup="delete",
        settings={},
        partitions=tuple(PartitionFacts(partition=at, **part) for at in (0, 1)),
    )


GROUP = Group(
    name=SCRIPT,
    state="Stable",
    lag=3,
    seconds=1.5,
    members=(Member(id=SCRIPT, client="x", host="/127.0.0.1", assigned=(f"{SCRIPT}/0",)),),
    partitions=(Behind(topic=SCRIPT, partition=0, committed=7, end=10, lag=3, seconds=1.5),),
)


@pytest.fixture(autouse=True)
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """The lists, in the place of the broker."""
    kafka = Kafka()
    search_locally(monkeypatch)
    monkeypatch.setattr(search_process, "reader", kafka.reader)
    monkeypatch.setattr(search_process, "places_of", kafka.places)
    monkeypatch.setattr(api, "groups", kafka.groups)
    monkeypatch.setattr(topics, "groups", kafka.groups)
    monkeypatch.setattr(topic_facts, "topic_facts", kafka.topic_facts)
    monkeypatch.setattr(topic_facts, "topics", kafka.topics)
    return kafka


async def text(client: TestClient, path: str, status: int = 200) -> str:
    answer = await client.get(path)

    assert status == answer.status
    return await answer.text()


@pytest.mark.parametrize(
    "path",
    [
        "/console/topics",
        f"/console/topics/{NAME}?from=latest:20",
        f"/console/topics/{NAME}?q={quote(SCRIPT)}",
        f"/console/topics/{NAME}?cel={quote(SCRIPT)}",
        "/console/groups",
        f"/console/groups/{quote(SCRIPT, safe='')}",
        f"/console/topics/{quote(SCRIPT, safe='')}",
    ],
)
async def test_hostile_text_stays_text(client: TestClient, path: str) -> None:
    """Names, keys, types, headers, bodies, what was asked: all of it."""
    page = await (await client.get(path)).text()

    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "path",
    [
        f"/console/topics/{NAME}?limit=500",
        f"/topics/{NAME}/records?limit=500",
        f"/topics/{NAME}/find",
        f"/topics/{NAME}/export?format=csv",
        f"/topics/{NAME}/export?format=ndjson",
    ],
)
async def test_nobody_is_shown(client: TestClient, path: str) -> None:
    """Neither in fields and headers, nor as entities, nor on lists, in no form."""
    page = await text(client, path)

    assert "needle" in page
    for person in ("ann", "bob", "carl", "dora", "zoe"):
        assert f"{person}\\" not in page
        assert f'"{person}' not in page.replace("&#34;", '"')
        assert f": {person}" not in page
        assert f":{person}" not in page


async def test_a_planted_record_is_found_with_its_coverage(client: TestClient) -> None:
    """By the page: one row, what was read, and a file of all of the search."""
    page = await text(client, f"/console/topics/{NAME}?q=key:needle&limit=5")

    assert 1 == page.count("<summary>Show</summary>")
    assert "<strong>1 found</strong> in 300 records read" in page
    assert "Everything from there to the end was read." in page
    assert 2 == page.count(f"<td>0 to {EACH - 1}</td><td>0 to {EACH - 1}</td><td>0</td>")
    assert f'href="/topics/{NAME}/export?format=csv&amp;q=key%3Aneedle"' in page
    assert f'value="type:{PLACED}"' in page
    assert "/console/transactions/tx%20%3Cscript" in page


async def test_one_goes_on_where_a_page_stopped(client: TestClient) -> None:
    """Each record once, by the cursor of the page before."""
    offsets: list[tuple[int, int]] = []
    path = f"/topics/{NAME}/records?partition=1&limit=70"
    while True:
        answer = json.loads(await text(client, path))
        offsets += [(each["partition"], each["offset"]) for each in answer["found"]]
        if answer["done"]["why"] == "end":
            break
        path = f"/topics/{NAME}/records?limit=70&cursor={answer['cursor']}"

    assert [(1, at) for at in range(EACH)] == offsets


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("q=kye:1", "there are key:"),
        ("cel=key%20%3D", "cel:"),
        ("limit=0", "limit must be"),
        ("partition=7", "there is no partition 7"),
        ("partition=0&from=1/5", "another partition"),
        ("q=key:customer:ann", "people are masked before anything is searched"),
    ],
)
async def test_what_is_asked_wrongly_is_said_beside_the_form(
    client: TestClient, query: str, reason: str
) -> None:
    """The form is still there, as it was filled in."""
    page = await text(client, f"/console/topics/{NAME}?{query}", 400)

    assert reason in page
    assert 'id="search"' in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/topics/nosuch", 404),
        ("/topics/nosuch/export", 404),
        (f"/topics/{NAME}/export?format=exe", 400),
        (f"/topics/{NAME}/export?limit=99999", 400),
        ("/console/groups/nosuch", 404),
        ("/groups/nosuch", 404),
        (f"/groups/{quote(SCRIPT, safe='')}", 200),
        ("/console/topics?internal=1", 200),
    ],
)
async def test_what_is_not_there_is_said(client: TestClient, path: str, status: int) -> None:
    """Never as a fault of ours."""
    assert status == (await client.get(path)).status


async def test_without_kafka_pages_say_so(client: TestClient, kafka: Kafka) -> None:
    """Unavailable, to be tried again."""
    kafka.fails = KafkaConnectionError()

    assert "Kafka does not answer" in await text(client, f"/console/topics/{NAME}", 503)


async def test_a_file_holds_no_formulas(client: TestClient) -> None:
    """A row a record under a head; what a spreadsheet would take for a formula is text."""
    answer = await client.get(f"/topics/{NAME}/export?format=csv&from=1/{EACH - 5}")
    envelope, *rows = csv.reader(io.StringIO(await answer.text()))

    assert 'attachment; filename="orders.csv"' == answer.headers["Content-Disposition"]
    assert "body" == envelope[-1]
    assert 5 == len(rows)
    assert '\'=1+"x"' == rows[2][3]
    assert rows[2][-1].startswith("*** (18 bytes")
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+-@\t\r\n")]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a\t@cmd", "a\\t'@cmd"),
        ('a;"=1', "a;\"'=1"),
        ("a; -1", "a; '-1"),
        (";;+1", ";;'+1"),
        ("a;b=1", "a;b=1"),
        ("-1", "'-1"),
    ],
)
def test_a_formula_is_none_behind_another_separator(cell: str, written: str) -> None:
    """Where a comma is for decimals, spreadsheets separate cells by semicolons."""
    assert written == api._inert(cell)


async def endless(_request: Any, _question: Any) -> AsyncIterator[Begun | Found]:
    """Find one large record after the other."""
    record = RecordView(
        topic=NAME, partition=0, offset=0, at_ms=1, key="k" * 50_000, type="", body={}, headers={}
    )
    yield Begun()
    while True:
        await asyncio.sleep(0)
        yield Found(record=record)


@pytest.mark.parametrize("path", ["find", "export", "export?format=csv"])
async def test_whoever_does_not_read_has_no_share_for_ever(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The connection is ended."""
    monkeypatch.setattr(api, "search_process", endless)
    monkeypatch.setattr(streams, "WRITE_SECONDS_MAX", 0.05)
    shares, most = client.app[SHARES], 0
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET /topics/{NAME}/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(10):
        while not most or shares.running("stream"):
            most = max(most, shares.running("stream"))
            await asyncio.sleep(0.001)
    with suppress(ConnectionResetError):
        while await reader.read(1 << 20):
            pass
    writer.close()

    assert 1 == most
    assert 0 == shares.running("stream")


@pytest.mark.parametrize("path", ["find", "export"])
async def test_a_stream_ends_in_the_end(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """However slowly it is read; a file that is not whole does not look so."""
    monkeypatch.setattr(api, "search_process", endless)
    monkeypatch.setattr(api, "STREAMED_SECONDS_MAX", 0.05)
    broken_off = False
    async with asyncio.timeout(10), client.get(f"/topics/{NAME}/{path}") as answer:
        try:
            async for _ in answer.content.iter_any():
                pass
        except ClientPayloadError:
            broken_off = True

    assert broken_off == (path == "export")
    assert 0 == client.app[SHARES].running("stream")


async def test_a_file_is_all_of_the_search(client: TestClient) -> None:
    """Not only the page that is seen; as lines of JSON each is whole."""
    lines = (await text(client, f"/topics/{NAME}/export?q=key:k*")).splitlines()

    assert 2 * EACH - 5 == len(lines)
    assert {"orders"} == {json.loads(line)["topic"] for line in lines}


@pytest.mark.parametrize("cell", ["k\x1b]0;title\x07", "\x9b31m", "a\u202egpj.exe", "\t=1", "a\rb"])
def test_a_file_commands_no_terminal(cell: str) -> None:
    """Keys and types are those of others, and somebody reads the file with `cat`."""
    record = RecordView(
        topic=NAME, partition=0, offset=0, at_ms=1, key=cell, type=cell, body={}, headers={}
    )
    line = api._as_csv_line(record).decode()

    assert line.removesuffix("\r\n").isprintable()
