"""Searching topics of a real broker: the planted record is found, and the coverage is reported."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from typer.testing import CliRunner
from yarl import URL

from app.cli.main import app as cli
from app.cli.topic_output import line_of
from app.config import Config, current
from app.console.api.live import STREAMS
from app.console.api.searches import ANONYMOUS_MAX
from app.console.server import _listen, make_api
from app.kafka.admin import TopicSpec, client_options, ensure_topics
from app.kafka.producer import produce
from app.kafka.reader import consumer_options, places_of, reader
from app.operations.search import topic_facts
from app.operations.search.consumer_groups import groups
from app.operations.search.query import parse
from app.operations.search.record_view import RecordView
from app.operations.search.scan import Done, Found, ScanRequest, scan
from app.registry import load_agents
from app.wire import codecs
from app.wire.envelope import Envelope, to_headers
from app.wire.records import Outgoing
from app.wire.signing import signed
from app.worker.discovery import Directory
from tests.support.console import FakeWorker
from workflows.order.messages import OrderCancelRequested

RECORDS, PARTITIONS, PLANTED_AT, DELETED = 20_000, 4, 12_345, 1_500


def event(number: int, config: Config, topic: str) -> Outgoing:
    """A signed event; the planted one says so in its key and in its body."""
    order_id = "planted" if number == PLANTED_AT else f"o{number}"
    reason = "needle in it" if number == PLANTED_AT else "no longer wanted"
    message = OrderCancelRequested(order_id=order_id, reason=reason)
    envelope = Envelope(
        id=f"e{number}",
        type="payflow.order.cancel_requested.v1",
        source="/payflow/console",
        time_ms=1_700_000_000_000 + number,
        subject=order_id,
        correlation_id=f"c{number}",
    )
    emitted = Outgoing(
        topic=topic,
        key=order_id.encode(),
        value=codecs.encode(message),
        headers=to_headers(envelope),
        partition=number % PARTITIONS,
    )
    return signed(emitted, config.signing_key)


@asynccontextmanager
async def producing(config: Config, **more: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**client_options(config), **more)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def with_markers(config: Config, topic: str) -> None:
    """End every partition with what a transaction leaves behind: offsets without a record."""
    async with producing(config, transactional_id=topic) as producer, producer.transaction():
        for partition in range(PARTITIONS):
            await producer.send(topic, b"not json", partition=partition)


async def delete_first(config: Config, topic: str) -> None:
    """Delete the first records of partition 1."""
    admin = AIOKafkaAdminClient(**client_options(config))
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 1): RecordsToDelete(DELETED)})
    finally:
        await admin.close()


@pytest.fixture(scope="module")
def haystack(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """Twenty thousand events in four partitions, some deleted, and the broker they lie on."""
    folder = tmp_path_factory.mktemp("haystack")
    config = Config(broker_url=kafka.url, data_dir=str(folder), console_port=0)

    async def plant() -> None:
        await ensure_topics(config, [TopicSpec(name="haystack", partitions=PARTITIONS)])
        async with producing(config) as producer:
            emitted = [event(number, config, "haystack") for number in range(RECORDS)]
            await produce(producer, emitted, config)
        await with_markers(config, "haystack")
        await delete_first(config, "haystack")

    asyncio.run(plant())
    return config, "haystack"


@pytest.fixture
async def client(haystack: Any, aiohttp_client: Any) -> TestClient:
    """A client of the console over that broker."""
    load_agents()
    site = make_api(FakeWorker(), FakeWorker(), Directory(), haystack[0])
    # There are no figures on this broker to listen to.
    site.on_startup.remove(_listen)
    return await aiohttp_client(site)


@pytest.mark.parametrize(
    ("messages", "cel"),
    [
        pytest.param(["key:planted"], "", id="by key"),
        pytest.param([f"corr:c{PLANTED_AT}"], "", id="by correlation id"),
        pytest.param([f"header.ce_id:e{PLANTED_AT}"], "", id="by a header"),
        pytest.param(["needle in it"], "", id="by text"),
        pytest.param([], 'has(body.reason) && body.reason.startsWith("needle")', id="by CEL"),
    ],
)
async def test_a_planted_record_is_found_with_its_coverage(haystack, messages, cel):
    """All offsets there still are were read, deleted ones and markers passed over."""
    config, topic = haystack
    async with reader(config) as consumer:
        request = ScanRequest(wanted=parse(messages, cel))
        events = [e async for e in scan(consumer, await places_of(config, topic), request)]

    done = events[-1]
    assert isinstance(done, Done)
    assert ["planted"] == [e.record.key for e in events if isinstance(e, Found)]
    assert ("end", RECORDS + PARTITIONS - DELETED) == (done.why, done.scanned)
    assert [0, DELETED, 0, 0] == [part.first for part in done.coverage]
    # Behind 5,000 events each: one of the transaction, and its marker.
    assert [(5_001, 5_002)] * 4 == [(part.last, part.end) for part in done.coverage]


def test_the_command_finds_it(haystack, monkeypatch):
    """`payflow topics find`: JSON on stdout, and what was read on stderr."""
    config, topic = haystack
    monkeypatch.setenv("PAYFLOW_BROKER_URL", config.broker_url)
    current.cache_clear()
    try:
        result = CliRunner().invoke(cli, ["topics", "find", topic, "key:planted", "--json"])
        by_cel = ["topics", "find", topic, "--cel", 'key == "planted"', "--json"]
        expressed = CliRunner().invoke(cli, by_cel)
        listed = CliRunner().invoke(cli, ["topics", "ls", "--json"])
        excerpt = CliRunner().invoke(cli, ["topics", "show", topic, "--from", "2/100", "--limit=1"])
    finally:
        current.cache_clear()

    search = json.loads(result.stdout)
    topics_by_name = {each["name"]: each for each in json.loads(listed.stdout)}
    assert 0 == result.exit_code
    assert [(1, 3_086)] == [(each["partition"], each["offset"]) for each in search["found"]]
    assert search["found"] == json.loads(expressed.stdout)["found"]
    assert "1 found in 18,504 records at 18,508 offsets" in result.stderr
    assert "stopped at the end" in result.stderr
    assert (18_508, 604_800_000) == (
        topics_by_name[topic]["records"],
        topics_by_name[topic]["retention_ms"],
    )
    assert topics_by_name[topic]["bytes"] > 1_000_000
    assert "2/100 " in excerpt.stdout
    assert "o402" in excerpt.stdout


async def test_the_page_finds_it_by_pages(client, haystack):
    """A limit and a cursor: each record once; then the one that was planted."""
    path = f"/topics/{haystack[1]}/records"
    offsets, cursor = [], "0/4990"
    while True:
        answer = await (
            await client.get(path, params={"from": "0/4990", "cursor": cursor, "limit": "4"})
        ).json()
        offsets += [record["offset"] for record in answer["found"]]
        cursor = answer["cursor"]
        if answer["done"]["why"] == "end":
            break
    search = await (await client.get(path, params={"q": "text:needle in it"})).json()

    assert list(range(4_990, 5_001)) == offsets
    assert ["planted"] == [record["key"] for record in search["found"]]
    assert RECORDS + PARTITIONS - DELETED == search["done"]["scanned"]


async def test_the_page_finds_it_as_events(client, haystack):
    """Server-sent events: found, then done with the coverage."""
    query = [("q", "key:planted"), ("q", "type:payflow.order.*")]
    async with client.get(f"/topics/{haystack[1]}/find", params=query) as answer:
        text = (await answer.read()).decode()
    events = [
        (block.split("\n")[0], json.loads(block.split("data: ")[1]))
        for block in text.strip().split("\n\n")
    ]

    assert "text/event-stream" == answer.headers["Content-Type"]
    bodies = [body for name, body in events if name == "event: found"]
    assert ["planted"] == [body["record"]["key"] for body in bodies]
    assert "event: done" == events[-1][0]
    assert "end" == events[-1][1]["why"]
    assert set() == client.app[STREAMS]


async def test_the_page_receives_what_comes(client, haystack, own_name):
    """A stream that follows shows every record of a burst; a stop of the server ends it."""
    config = haystack[0]
    await ensure_topics(config, [TopicSpec(name=own_name, partitions=2)])
    async with client.get(f"/topics/{own_name}/find", params={"follow": "1"}) as answer:
        async with producing(config) as producer:
            for number in range(300):
                await producer.send(own_name, b"{}", key=b"%d" % number)
        keys = []
        while len(keys) < 300:
            line = (await answer.content.readline()).decode()
            if line.startswith("data: ") and "record" in (body := json.loads(line[6:])):
                keys.append(int(body["record"]["key"]))
        for task in list(client.app[STREAMS]):
            task.cancel()
        await answer.read()

    assert list(range(300)) == sorted(keys)
    assert set() == client.app[STREAMS]


async def test_scans_are_bounded(client, haystack):
    """One more than there may be is refused for now, a page is not; an end frees a place."""
    path = f"/topics/{haystack[1]}/find"
    streams = [await client.get(path, params={"follow": "1"}) for _ in range(ANONYMOUS_MAX)]
    refused = await client.get(path)
    page = await client.get(f"/topics/{haystack[1]}/records", params={"q": "key:planted"})
    for task in list(client.app[STREAMS]):
        task.cancel()
    for stream in streams:
        await stream.read()
    allowed = await client.get(path, params={"q": "key:planted"})
    await allowed.read()

    assert (429, 200, 200) == (refused.status, page.status, allowed.status)


async def test_odd_records_are_shown_as_they_can_be(client, haystack, own_name):
    """No envelope, no JSON, a time that is none, control characters: none is an error of ours."""
    config = haystack[0]
    any_time = {"message.timestamp.after.max.ms": str(2**63 - 1)}
    await ensure_topics(config, [TopicSpec(name=own_name, partitions=1, config=any_time)])
    async with producing(config) as producer:
        odd = {"timestamp_ms": 9_000_000_000_000_000_000, "headers": [("\x1b[31m", b"\xff\x00")]}
        await producer.send_and_wait(own_name, b"\x1b[2J\xff{", key=b"\x1b]0;x\x07", **odd)
        await producer.send_and_wait(own_name, None, key=b"gone")
    answer = await (await client.get(f"/topics/{own_name}/records")).json()
    first, second = (msgspec.convert(each, RecordView) for each in answer["found"])

    assert 2 == answer["done"]["unreadable"]
    assert "header ce_id is missing" == first.error
    assert re.fullmatch(r"\*\*\* \(6 bytes, digest [0-9a-f]{16}\)", first.text)
    assert "\x1b" not in line_of(first).plain
    assert ("gone", None, "") == (second.key, second.body, second.text)


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        pytest.param("/topics/nosuch", 404, "name", id="no such topic"),
        pytest.param("/topics/nosuch/records", 404, "name", id="records of no such topic"),
        pytest.param("/topics/nosuch/find", 404, "name", id="a scan of no such topic"),
        pytest.param("/topics/%00%0a/find", 400, "name", id="a name of control characters"),
        pytest.param("/topics/haystack/records?q=kye:1", 400, "q", id="no such term"),
        pytest.param("/topics/haystack/find?q=since:now", 400, "q", id="no time"),
        pytest.param("/topics/haystack/records?cel=key%20%3D", 400, "cel", id="no expression"),
        pytest.param("/topics/haystack/records?limit=0", 400, "limit", id="no limit"),
        pytest.param("/topics/haystack/records?limit=99999", 400, "limit", id="too much"),
        pytest.param("/topics/haystack/records?cursor=x", 400, "cursor", id="no cursor"),
        pytest.param("/topics/haystack/records?cursor=9/1", 400, "cursor", id="no partition"),
        pytest.param("/topics/haystack/find?from=9/1", 400, "from", id="a start of no partition"),
        pytest.param("/topics/haystack/records?from=soon", 400, "from", id="no start"),
        pytest.param("/topics/haystack/records?q=%ff%fe", 200, "", id="bytes that are not text"),
        pytest.param("/topics/haystack/records?cursor=0/999999999", 200, "", id="behind the end"),
        pytest.param("/topics?internal=2", 400, "internal", id="no flag"),
    ],
)
async def test_a_bad_question_is_refused_by_the_name_of_its_field(client, path, status, field):
    """Never a 500, whatever is asked."""
    answer = await client.get(URL(path, encoded=True))
    body = await answer.json()

    assert status == answer.status
    assert ([field] if field else []) == [each["field"] for each in body.get("errors", [])]


async def test_a_group_is_behind_by_what_it_has_not_read(client, haystack, own_name):
    """Lag in events and seconds, who is in it and what each reads; over HTTP too."""
    config, topic = haystack
    consumer = AIOKafkaConsumer(
        topic, **consumer_options(config), group_id=own_name, enable_auto_commit=False
    )
    other = AIOKafkaConsumer(topic, **consumer_options(config), group_id=f"{own_name}-other")
    await asyncio.gather(consumer.start(), other.start())
    try:
        await consumer.getmany(timeout_ms=5_000)
        await consumer.commit({TopicPartition(topic, p): 5_002 - 10 * p for p in range(PARTITIONS)})
        group = (await groups(config, own_name))[0]
        listed = await (await client.get("/groups")).json()
    finally:
        await asyncio.gather(consumer.stop(), other.stop())

    assert [0, 10, 20, 30] == [each.lag for each in group.partitions]
    assert (60, "Stable", 1) == (group.lag, group.state, len(group.members))
    assert tuple(f"{topic}/{p}" for p in range(PARTITIONS)) == group.members[0].assigned
    assert group.seconds is not None
    assert 0.0 == group.partitions[0].seconds
    assert {own_name, f"{own_name}-other"} <= {each["name"] for each in listed["groups"]}


async def test_a_topic_says_how_large_it_is(client, haystack):
    """Partitions, bytes, retention, clean-up."""
    about = await topic_facts.topic_facts(*haystack)
    body = await (await client.get(f"/topics/{haystack[1]}")).json()

    assert [DELETED, 5_002] == [about.partitions[1].begin, about.partitions[1].end]
    assert ("delete", 604_800_000) == (body["cleanup"], body["retention_ms"])
    assert all(part["bytes"] > 100_000 for part in body["partitions"])
