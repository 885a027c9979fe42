"""Whatever leaves a console for somebody without a right names nobody: every door is tried.

Each message, row, record and dead letter of the instance has a marker in every field that may say
who somebody is, in bytes that nobody can decode, in headers and in what errors quote.
"""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient
from aiokafka import TopicPartition
from msgspec import to_builtins
from msgspec.structs import replace
from rich.console import Console

from app.auth import operators
from app.cli import dead_letter_output, tables, trace, transactions
from app.cli.instance import as_json
from app.cli.output import show_dead_letter
from app.cli.topic_output import line_of
from app.console.api import dead_letters, inbox, topics, transaction_search
from app.console.api import tables as table_api
from app.console.api.fraud import FRAUD
from app.console.api.fraud_queries import Queries
from app.console.api.openapi import openapi_routes
from app.console.api.routes import ROUTES
from app.console.pages import topics as topic_pages
from app.console.pages.site import page_routes
from app.console.server import make_api
from app.delivery.row import Row, encode_row
from app.fraud.analysis.queries import Answer
from app.gateways.notifier import InboxMessage
from app.kafka.errors import InspectionError
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.selection import Choice, blast_radius
from app.operations.dead_letters.status import DeadLetterFacts
from app.operations.search import search_process, topic_facts
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.record_view import view_of
from app.operations.search.row_history import History, Version
from app.operations.search.topic_facts import TopicFacts
from app.registry import load_workflows
from app.wire import codecs, personal_layout
from app.wire.envelope import Envelope, to_headers
from app.wire.records import HISTORY, as_read
from app.wire.topics import changelog_topic
from tables import declared
from tests.support import planted
from tests.support.console import CONFIG, FakeWorker, directory_of
from tests.support.consumer import FakeConsumer, FakeRecord
from tests.support.planted import Markers
from tests.support.searches import search_locally
from workflows.order.messages import OrderPlaced
from workflows.order.state import Order
from workflows.payment.origin import Origin
from workflows.shared.journal import JournalEntry, row_of
from workflows.shared.message import Message, type_name
from workflows.shared.topic import Topic, topic_of, topic_of_type

ORDER_ID = "o1"
ELSEWHERE = ("/live", "/verify", "/invariants", "/faults", "/operators/", "/fraud/trial")
"""Routes that ask a process of its own or an external system, and show ids and figures; what only
an operator may ask; the stream of the live page, which begins with what the page `/` has."""
GETS = [
    route
    for route in (*ROUTES, *openapi_routes(ROUTES), *page_routes())
    if route.method == "GET" and not [each for each in ELSEWHERE if each in route.path]
]


class Instance:
    """What an instance holds: messages, rows, records and dead letters, all of them marked."""

    def __init__(self) -> None:
        self.markers = Markers()
        self.messages = planted.messages(self.markers)
        self.states = planted.states(self.markers)
        self.records: dict[str, list[FakeRecord]] = {}
        for message in self.messages.values():
            self._put_records(message)
        self.dead_letters = tuple(
            DeadLetter(record=as_read(each), at_ms=1_000)
            for topic, records in self.records.items()
            for each in records
            if topic.endswith(".dead")
        )

    def _put_records(self, message: Message) -> None:
        """Lay `message` down on its topic and on a dead one, as it is, broken, and of no type."""
        topic = topic_of_type(type(message))
        key, body = topic.key(message).encode(), codecs.encode(message)
        headers = (
            *to_headers(envelope(message)),
            ("x-name", self.markers.text("a header").encode()),
        )
        untyped = tuple(each for each in headers if each[0] != "ce_type")
        why = f"Invalid enum value '{self.markers.text('a quoted value')}'"
        before = {"place": "a/0/1", "cause": "c", "detail": why, "room": "order", "at": "t"}
        dead = (
            ("x-dead-service", b"order"),
            ("x-dead-room", b"order"),
            ("x-dead-cause", b"wrong_shape"),
            ("x-dead-detail", why.encode()),
            (HISTORY, json.dumps([before]).encode()),
        )
        stranger = json.dumps({"surname": self.markers.text("a field of no type")}).encode()
        added = json.loads(body) | {"surname": self.markers.text("a field that is not declared")}
        for place, more in ((topic.name, ()), (f"{topic.name}.order.dead", dead)):
            log = self.records.setdefault(place, [])
            for value in (body, body[:-1], b"\xff" + body, json.dumps(added).encode()):
                log.append(FakeRecord(place, 0, len(log), key, value, headers + more))
            log.append(FakeRecord(place, 0, len(log), b"k", stranger, untyped + more))

    def keep_rows(self, queries: FakeWorker) -> None:
        for at, (name, message) in enumerate(self.messages.items()):
            entry = JournalEntry(
                id=f"e{at}",
                type=name,
                time_ms=at,
                correlation_id=ORDER_ID,
                body=to_builtins(message),
            )
            queries.keep("journal", row_of(entry), entry)
        for name, state in self.states.items():
            if name != "journal":
                queries.keep(name, ORDER_ID, state)
        queries.keep("order", ORDER_ID, Order(order_id=ORDER_ID, currency="GBP", placed_at_ms=1))
        for kind in ("customer", "card", "device", "address"):
            key = f"{kind}:{self.markers.text(f'a key of risk, {kind}')}"
            queries.keep("risk", key, self.states["risk"])

    def reader(self) -> Any:
        @asynccontextmanager
        async def opened(_config: Any) -> AsyncIterator[FakeConsumer]:
            log = [on_one_topic(each, at) for at, each in enumerate(self.all_records())]
            yield FakeConsumer({0: log}, {0: len(log)}, repeat(40))

        return opened

    def all_records(self) -> list[FakeRecord]:
        return [each for log in self.records.values() for each in log]


def on_one_topic(record: FakeRecord, offset: int) -> FakeRecord:
    return record._replace(topic="orders", offset=offset)


def placed_on(name: str) -> TopicFacts:
    return TopicFacts(
        name=name,
        records=1,
        bytes=1,
        retention_ms=1,
        cleanup="delete",
        settings={},
        partitions=(),
    )


@pytest.fixture(scope="module")
def instance() -> Instance:
    """An instance of which every part names somebody."""
    load_workflows()
    return Instance()


@pytest.fixture
async def client(
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    aiohttp_client: Any,
    aiohttp_server: Any,
) -> TestClient:
    """Somebody who has not signed in, at a console on loopback."""

    async def gathered(_config: Any) -> DeadLetterFacts:
        return DeadLetterFacts(dead_letters=instance.dead_letters, attempts={}, through={})

    async def places(_config: Any, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, 0)]

    async def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    async def no_group(*_: Any) -> list[Any]:
        raise InspectionError("there is no such group")

    async def one_topic(_config: Any, topic: str) -> TopicFacts:
        return placed_on(topic)

    async def past(_config: Any, topic: str, partition: int, key: bytes) -> History:
        names = {changelog_topic(table): name for name, table in declared.items()}
        assert key
        state = instance.states[names[topic]]
        return History(
            topic=topic,
            partition=partition,
            begin=0,
            last=0,
            end=1,
            why="end",
            versions=(Version(offset=0, at_ms=1, body=encode_row(Row(state=state))),),
        )

    async def answer(_request: Any) -> Answer:
        return Answer(trouble="nobody answers")

    async def messages(topic_list: Sequence[Topic]) -> list[tuple[Envelope, Message]]:
        return [
            (envelope(each), each)
            for each in instance.messages.values()
            if topic_of(each) in topic_list
        ]

    sent = InboxMessage(
        **{each: "t" for each in InboxMessage.__struct_fields__ if each != "customer_id"}
        | {"at_ms": 1, "customer_id": instance.markers.text("InboxMessage.customer_id")}
    )
    search_locally(monkeypatch)
    monkeypatch.setattr(search_process, "reader", instance.reader())
    monkeypatch.setattr(search_process, "places_of", places)
    monkeypatch.setattr(transaction_search, "reader", instance.reader())
    monkeypatch.setattr(transaction_search, "places_of", places)
    monkeypatch.setattr(topic_facts, "topics", nothing)
    monkeypatch.setattr(topic_facts, "topic_facts", one_topic)
    monkeypatch.setattr(topics, "groups", no_group)
    monkeypatch.setattr(topic_pages, "groups", no_group)
    monkeypatch.setattr(table_api, "history", past)
    monkeypatch.setattr(dead_letters, "gather", gathered)
    monkeypatch.setattr(inbox, "read_inbox", lambda *_: [sent])
    queries = FakeWorker()
    instance.keep_rows(queries)
    operators.first_start(tmp_path)
    directory = await directory_of(queries, aiohttp_server)
    app = make_api(queries, queries, directory, replace(CONFIG, data_dir=str(tmp_path)))
    app[FRAUD].messages = messages
    app[FRAUD].queries = Queries(answer)
    return await aiohttp_client(app)


def envelope(message: Message) -> Envelope:
    return Envelope(
        id="e",
        type=type_name(type(message)),
        source="/t",
        time_ms=1,
        subject="",
        correlation_id="o1",
    )


def paths(instance: Instance, path: str) -> list[str]:
    """Return what `path` stands for: every table, the places of dead letters."""
    if "{topic}/{partition}/{offset}" in path:
        return [
            path.replace("{topic}/{partition}/{offset}", each.place)
            for each in instance.dead_letters[::61]
        ]
    choices = [path]
    if path.startswith(("/tables", "/history", "/console/tables")):
        choices = [path.replace("{name}", name) for name in declared]
    ids = {"{name}": "orders", "{key}": ORDER_ID, "{rule_id}": "amount.profile"}
    for name, value in ids.items():
        choices = [each.replace(name, value) for each in choices]
    return [
        re.sub(r"\{\w+\}", ORDER_ID, each) + ("?key=o1" if each.endswith("/row") else "")
        for each in choices
    ]


def part_of(path: str) -> str:
    """Return the part of the console that `path` belongs to, such as `/tables`."""
    parts = path.split("?", maxsplit=1)[0].split("/")
    return "/".join(parts[: 3 if parts[1] == "console" else 2])


def asked_of(instance: Instance, part: str) -> list[str]:
    """Return the paths of all GET routes of one part, and some with parameters."""
    urls = [path for route in GETS for path in paths(instance, route.path)]
    urls += ["/topics/orders/export?format=csv", "/topics/orders/records?limit=500"]
    urls += ["/dead-letters?key=k", "/transactions?older=0"]
    return [path for path in dict.fromkeys(urls) if part_of(path) == part]


ANSWERED = {
    *("/orders", "/orders/o1/events", "/transactions/o1", "/tables/payment/o1", "/tables/risk"),
    *("/tables/journal", "/topics/orders/records", "/topics/orders/find", "/topics/orders/export"),
    *("/dead-letters", "/dead-letters/list", "/dead-letters/preview", "/inbox", "/fraud/cases"),
    *("/fraud/rules", "/console/transactions/o1", "/console/tables/risk", "/console/dead-letters"),
    *("/console/topics/orders", "/console/inbox"),
}
"""What has to answer, or nothing would be tried."""


@pytest.mark.parametrize("part", sorted({part_of(route.path) for route in GETS}))
async def test_no_page_and_no_answer_names_anybody(
    client: TestClient, instance: Instance, part: str
) -> None:
    """JSON, HTML, files and streams, of every route that shows something."""
    shown_by_path: dict[str, list[str]] = {}
    statuses: dict[str, int] = {}
    for path in asked_of(instance, part):
        answer = await client.get(path)
        statuses[path] = answer.status
        if names := instance.markers.shown_in(await answer.text()):
            shown_by_path[path] = names

    assert {} == shown_by_path
    assert [] == [path for path, status in statuses.items() if status == 500]
    needed = [path for path in ANSWERED if part_of(path) == part]
    assert [] == [path for path in needed if statuses.get(path) != 200]
    assert 100 < len(instance.markers.planted)


async def test_no_command_prints_anybody(
    client: TestClient, instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `payflow` makes of an answer, of a record and of a dead letter."""
    show = Console(width=400, height=100, highlight=False)
    order = load_workflows()["order"]

    async def get_json(path: str) -> Any:
        return await (await client.get(path)).json()

    trace.show(await get_json("/transactions/o1"))
    listed = await get_json("/transactions?older=0")
    transactions.show_listed(listed["orders"], None, show)
    transactions.show_transaction(order, await get_json("/orders/o1"), show)
    for name in declared:
        page = await get_json(f"/tables/{name}")
        tables.show_page(page["rows"], page["next"])
    for record in instance.all_records():
        view = view_of(MaskedRecord(record))
        show.print(line_of(view))
        show_dead_letter(view, show)
        as_json(view)
    dead_letter_views = [
        dead_letter_output.as_shown(each, "open") for each in instance.dead_letters
    ]
    show.print(dead_letter_output.dead_letters_table(dead_letter_views))
    radius = blast_radius(instance.dead_letters, {})
    history = [each.shown_history for each in instance.dead_letters]

    printed = f"{capsys.readouterr().out}{dead_letter_views}{radius}{history}"
    assert [] == instance.markers.shown_in(printed)
    assert 10_000 < len(printed)


@pytest.mark.parametrize(
    ("kind", "field", "where"),
    [
        pytest.param(OrderPlaced, "reference", "OrderPlaced.reference", id="reference"),
        pytest.param(Origin, "card_id", "Origin.card_id", id="card"),
        pytest.param(Origin, "latitude", "Origin.latitude", id="position"),
    ],
)
async def test_without_its_mark_a_field_is_found(  # noqa: PLR0913  the fixtures, and a field
    client: TestClient,
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    field: str,
    where: str,
) -> None:
    """So a forgotten mark fails the test above."""
    layout = personal_layout.layout_of(OrderPlaced)
    layout = layout if kind is OrderPlaced else layout.attributes["origin"]
    assert layout is not None
    assert layout.fields is not None
    monkeypatch.setitem(layout.fields, field, None)

    text = await (await client.get(f"/orders/{ORDER_ID}/events")).text()

    assert where in instance.markers.shown_in(text)


def test_every_filter_of_dead_letters_compares_what_is_seen(instance: Instance) -> None:
    """Of a key that names somebody a guess finds nothing, and the mask finds all of them."""
    keys = {(each.record.key or b"").decode(): each for each in instance.dead_letters}
    hidden = [key for key in keys if instance.markers.shown_in(key)]

    assert hidden
    assert not [key for key in hidden if Choice(key=key).meets(keys[key])]
    assert all(Choice(key="***").meets(keys[key]) for key in hidden)
    [dead_letter] = [
        each for each in instance.dead_letters if each.place == "orders.order.dead/0/4"
    ]
    assert Choice(key="k").meets(dead_letter)


def test_bytes_of_no_type_are_a_length_and_a_digest() -> None:
    """The digest takes the signing key, or whoever guesses the bytes would see that he is right."""
    one, other = (
        MaskedRecord(FakeRecord("orders", 0, 0, b"k", value, ())).text
        for value in (b"Grace Hopper", b"Grace Hoppes")
    )

    assert re.fullmatch(r"\*\*\* \(12 bytes, digest [0-9a-f]{16}\)", one)
    assert one != other


@pytest.mark.parametrize("guess", ["card:mine", "device:x", "address:9", "customer:ann"])
async def test_nobody_is_searched_for(client: TestClient, guess: str) -> None:
    """Neither by key, nor by text, nor as a filter, nor where a page begins."""
    quoted_guess = quote(guess, safe="")
    searches = [
        f"/tables/risk/{quoted_guess}",
        f"/tables/risk?prefix={quoted_guess}",
        f"/tables/risk?after={quoted_guess}",
        f"/dead-letters/list?key={quoted_guess}",
        f"/topics/orders/records?q=key:{quoted_guess}",
        f"/topics/orders/records?q=text:{quoted_guess}",
    ]

    assert {400} == {(await client.get(path)).status for path in searches}
