"""A console that knows something of everything, without Kafka: topics and files are lists."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiokafka import TopicPartition
from msgspec.structs import replace

from app.auth import operators
from app.console.api import (
    dead_letters,
    fault_injection,
    health,
    inbox,
    tables,
    topics,
    transaction_search,
    transactions,
)
from app.console.api.dead_letters import DEAD_LETTERS
from app.console.api.fault_injection import FAULT_INJECTION, ProcessFacts
from app.console.api.fraud import FRAUD, FraudAdmin
from app.console.api.invariants import INVARIANTS, Invariants
from app.console.api.open_cases import OPEN_CASES
from app.console.server import make_api
from app.gateways.notifier import InboxMessage
from app.kafka.errors import InspectionError, NoSuchTopic
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import DeadLetterFacts, Outcome
from app.operations.search import search_process, topic_facts
from app.operations.search.consumer_groups import Behind, Group, Member
from app.operations.search.row_history import History, Version
from app.operations.search.topic_facts import PartitionFacts, TopicFacts
from app.operations.verification.facts import Facts
from app.operations.verification.verdict import judge
from app.registry import load_agents, load_workflows
from app.wire.records import Record
from tests.support.clients import client_key
from tests.support.console import CONFIG, FakeWorker, directory_of
from tests.support.consumer import FakeConsumer, FakeRecord
from tests.support.fraud_site import FraudSite, check, registered
from tests.support.samples import filled
from tests.support.searches import search_locally
from workflows.fraud.messages import CaseClosed, PaymentLabelled
from workflows.fraud.rule_messages import RulePut
from workflows.order.disputes import Dispute
from workflows.order.partial_shipment import PartialShipment
from workflows.order.return_amount import ReturnAmount
from workflows.order.returns import Return, Returns
from workflows.order.state import Action, Mark, Order
from workflows.shared.cases import OpenCase
from workflows.shared.invariants import Moment
from workflows.shared.journal import JournalEntry

AT_MS = 1_700_000_000_000
TOPIC, PLACED = "orders", "payflow.order.placed.v1"
RULE = {
    "rule_id": "seen.before",
    "version": 1,
    "state": "shadow",
    "outcome": "review",
    "description": "a rule of a test",
    "when": {"gt": [{"field": "amount_minor"}, 100]},
    "proposed_by": "oda",
}
WHOLE = Order(
    order_id="o1",
    country="France",
    currency="GBP",
    total_minor=90_000,
    placed_at_ms=AT_MS,
    payment=Mark(status="action_required", at_ms=AT_MS),
    action=Action(url="http://127.0.0.1/pay", until_ms=AT_MS),
    overdue=("payment",),
    returns=Returns(
        by_id={
            "r1": Return(status="accepted", computed=ReturnAmount(items_minor=5), reason="torn"),
            "r2": Return(is_goodwill=True, amount_minor=100),
        },
        partial=filled(PartialShipment, ""),
    ),
    disputes={"d1": Dispute(amount_minor=100, currency="GBP", reason="fraudulent")},
)
EVENT = JournalEntry(
    id="e1", type=PLACED, source="/payflow/order", time_ms=AT_MS, correlation_id="o1",
    received_ms=AT_MS, body={"type": PLACED, "order_id": "o1", "customer_id": "ann"},
)  # fmt: skip
GROUP = Group(
    name="payflow-order",
    state="Stable",
    lag=3,
    seconds=1.5,
    members=(Member(id="m1", client="x", host="/127.0.0.1", assigned=("orders/0",)),),
    partitions=(Behind(topic=TOPIC, partition=0, committed=7, end=10, lag=3, seconds=None),),
)


def _dead_letter(offset: int) -> DeadLetter:
    headers = {
        "x-dead-agent": "order",
        "x-dead-service": "order",
        "x-dead-cause": "wrong_shape",
        "x-dead-detail": "no such field",
        "x-dead-stack": "abc",
        "ce_type": PLACED,
        "ce_correlationid": "o1",
    }
    record = Record(
        topic="orders.order.dead",
        partition=0,
        offset=offset,
        key=b"o1",
        value=b"\xff" if offset else json.dumps(EVENT.body).encode(),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
    )
    return DeadLetter(record=record, at_ms=AT_MS + offset)


class Lists:
    """What the console asks of Kafka and of files, answered from lists."""

    def __init__(self) -> None:
        headers = (("ce_type", PLACED.encode()), ("ce_correlationid", b"o1"))
        value = json.dumps(EVENT.body).encode()
        self.logs = {0: [FakeRecord(TOPIC, 0, at, b"o1", value, headers, AT_MS) for at in range(9)]}

    @asynccontextmanager
    async def reader(self, _config: Any) -> AsyncIterator[FakeConsumer]:
        yield FakeConsumer(self.logs, {0: 9}, repeat(40))

    async def places(self, _config: Any, topic: str) -> list[TopicPartition]:
        await self.topic_facts(_config, topic)
        return [TopicPartition(topic, 0)]

    async def topic_facts(self, _config: Any, topic: str) -> TopicFacts:
        for each in await self.topics(_config):
            if topic == each.name:
                return each
        raise NoSuchTopic(f"there is no topic {topic[:100]!r}")

    async def topics(self, _config: Any, *, internal: bool = False) -> list[TopicFacts]:
        names = [TOPIC, *(["payflow-order-table-changelog"] if internal else [])]
        part = PartitionFacts(
            partition=0, begin=0, end=9, bytes=None, leader=1, replicas=(1,), in_sync=(1,)
        )
        return [
            TopicFacts(
                name=name, records=9, bytes=None, retention_ms=None, cleanup="delete",
                settings={"a": "b"}, partitions=(part,),
            )
            for name in names
        ]  # fmt: skip

    async def groups(self, _config: Any, only: str = "") -> list[Group]:
        if only not in ("", GROUP.name):
            raise InspectionError(f"there is no group {only[:100]!r}")
        return [GROUP]

    async def dead_letters(self, _config: Any) -> DeadLetterFacts:
        dead_letters = (_dead_letter(0), _dead_letter(1))
        return DeadLetterFacts(
            dead_letters=dead_letters,
            attempts={},
            through={},
            discarded={dead_letters[1].place: "a joke"},
        )

    async def history(self, _config: Any, topic: str, partition: int, _key: bytes) -> History:
        body = msgspec.json.encode({"state": WHOLE})
        versions = (
            Version(offset=1, at_ms=AT_MS - 1, body=body),
            Version(offset=2, at_ms=AT_MS, body=None),
        )
        return History(
            topic=topic, partition=partition, begin=0, last=2, end=3, why="end", versions=versions
        )

    def inbox(self, _path: Path, _limit: int, _order_id: str) -> list[InboxMessage]:
        return [filled(InboxMessage, "")]

    async def faults(self, _config: Any, system: str) -> dict[str, object]:
        return {"decline_rate": 0.5, "seed": 1} if system == "provider" else {}

    async def verify(self, _variables: Any) -> Any:
        return PLAIN


def _verdict() -> Any:
    load_agents()
    verdict = judge(Facts(), Moment(now_ms=AT_MS), load_workflows().values(), {"topics": "none"})
    return json.loads(msgspec.json.encode(verdict.plain()))


PLAIN = _verdict()


class Seeded:
    """A console in an application that is not started yet, its folder, and who may do what."""

    def __init__(self, app: web.Application, site: FraudSite, folder: Path, key: str) -> None:
        self.app = app
        self.site = site
        self.folder = folder
        self.client_key = key

    @property
    def approver(self) -> dict[str, str]:
        """Return the headers of an operator who may do everything."""
        return self.site.machine("pat")


def replace_by_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let consoles that are made from now on read lists."""
    lists = Lists()
    search_locally(monkeypatch)
    for module in (search_process, transaction_search):
        monkeypatch.setattr(module, "reader", lists.reader)
        monkeypatch.setattr(module, "places_of", lists.places)
    monkeypatch.setattr(topics, "groups", lists.groups)
    monkeypatch.setattr(topic_facts, "topic_facts", lists.topic_facts)
    monkeypatch.setattr(topic_facts, "topics", lists.topics)
    monkeypatch.setattr(dead_letters, "gather", lists.dead_letters)
    monkeypatch.setattr(tables, "history", lists.history)
    monkeypatch.setattr(transactions, "history", lists.history)
    monkeypatch.setattr(inbox, "read_inbox", lists.inbox)
    monkeypatch.setattr(fault_injection.fault_switches, "get", lists.faults)
    monkeypatch.setattr(fault_injection.fault_switches, "put", lists.faults)
    monkeypatch.setattr(health, "_verify", lists.verify)
    monkeypatch.setattr(Invariants, "watch", lambda _self: None)


async def seeded_console(folder: Path) -> tuple[Seeded, TestServer]:
    """Return a console, and the worker that it asks, which is to be closed."""
    worker: list[TestServer] = []

    async def serve(app: web.Application) -> TestServer:
        worker.append(TestServer(app))
        await worker[0].start_server()
        return worker[0]

    load_agents()
    queries = FakeWorker()
    directory = await directory_of(queries, serve, "fraud")
    tokens = {"admin": operators.first_start(folder)}
    for name, role in (("vic", "viewer"), ("oda", "operator"), ("pat", "approver")):
        tokens[name] = operators.add(folder, name, role)
    config = replace(CONFIG, data_dir=str(folder), fault_injection=True)
    app = make_api(queries, queries, directory, config)
    site = FraudSite(queries, None, tokens)  # type: ignore[arg-type]
    seeded = Seeded(app, site, folder, client_key(folder))
    _seed(seeded, config)
    return seeded, worker[0]


def _seed(seeded: Seeded, config: Any) -> None:
    app, site, queries = seeded.app, seeded.site, seeded.site.queries
    app[FRAUD] = FraudAdmin(site.messages, site.ask, config)
    queries.keep("order", "o1", WHOLE, fingerprint="f")
    queries.keep("journal", f"o1|{AT_MS:014d}|e1", EVENT)
    queries.keep("stock", "tea", {"on_hand": 1})
    queries.keep("verdict", "o1", check("o1", label=_label()))
    site.publish(registered("o1"))
    site.publish(registered("o2"))
    site.publish(
        CaseClosed(transaction_id="o2", case="review", fraud=True, by="oda", note="n"),
        AT_MS,
    )
    site.publish(RulePut(rule_id="seen.before", rule=RULE))
    app[INVARIANTS].receive(json.dumps(PLAIN).encode())
    app[OPEN_CASES][0]._open = {"o1": (filled(OpenCase, ""),)}
    app[DEAD_LETTERS].outcome = filled(Outcome, "")
    process = ProcessFacts(name="worker", pid=1, since_ms=0, ended="")
    app[FAULT_INJECTION].processes = lambda: [process]  # type: ignore[method-assign]


def _label() -> PaymentLabelled:
    return PaymentLabelled(
        transaction_id="o1", fraud=True, source="analyst", known_at_ms=AT_MS, by="oda", note="n"
    )


@pytest.fixture
async def seeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aiohttp_client: Any) -> Any:
    """A seeded console that is served; its site has a client."""
    replace_by_lists(monkeypatch)
    console, worker = await seeded_console(tmp_path)
    console.site.client = await aiohttp_client(console.app)
    yield console
    await worker.close()
    await asyncio.sleep(0)
