"""What surrounds the engine in a worker: signatures, deadlines, and how far offsets may move."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from msgspec.structs import replace

from app.config import Config
from app.delivery.row import Row, encode_row
from app.kafka.producer import place_of
from app.wire.records import RETRY_DUE_MS, Outgoing, Record
from app.wire.signing import signed
from app.worker import runner as module
from app.worker.batches import Batches
from app.worker.crash_points import CrashPoint
from app.worker.log_check import LogCheck
from app.worker.runner import Runner
from app.worker.store import Store
from app.worker.transport import record_of
from app.worker.watermarks import Watermarks
from tests.support.agents import ANSWERS, Tally, cancel
from tests.support.runtime import as_read
from workflows.order.topics import orders
from workflows.payment.topics import payments

CONFIG = Config(signing_key="one", partitions=4)
WAKES = replace(ANSWERS, due=lambda state: 500 if state.received else None)
"""An agent with a deadline in each row that has received something."""
RETRY = "orders.test.retry-1s"
NOW_MS = 1_000_000


class Rows:
    """A store in a dict."""

    changelog = "payflow-test-tally-changelog"

    def __init__(self) -> None:
        self.rows: dict[tuple[int, bytes], bytes] = {}

    def open_partitions(self) -> list[int]:
        return sorted({partition for partition, _ in self.rows})

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.rows.get((partition, key))

    def put(self, partition: int, rows: Mapping[bytes, bytes]) -> None:
        self.rows.update({(partition, key): body for key, body in rows.items()})

    def drain(self, partition: int, offset: int) -> None: ...

    def scan(self, partition: int, _start: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield from ((key, body) for (at, key), body in self.rows.items() if at == partition)

    states = Store.states


@pytest.fixture
def rows() -> Rows:
    """A store without rows."""
    return Rows()


@pytest.fixture
def running(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A runner whose broker acknowledges everything."""

    async def acknowledged(_producer: Any, records: Sequence[Outgoing], _config: Any) -> Any:
        await asyncio.sleep(0)
        return {(record.topic, record.partition or 0): 0 for record in records}

    for name in ("produce", "produce_signed"):
        monkeypatch.setattr(module, name, acknowledged)
    monkeypatch.setattr(module, "producer_of", lambda _app, _agent: None)
    monkeypatch.setattr(module, "now_ms", lambda: NOW_MS)
    app: Any = SimpleNamespace(
        agent_names=[],
        logs=LogCheck(Config()),
        revocation_listeners=[],
        crash_point=CrashPoint.of(""),
        batches=Batches(),
        watermarks=Watermarks(),
        should_stop=False,
        through=lambda _tp: 0,
    )
    store: Any = rows
    return Runner(app, WAKES, CONFIG, store)


def event(record: Record) -> Any:
    """Return `record` as Faust gives it."""
    message = SimpleNamespace(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=dict(record.headers),
        timestamp=NOW_MS / 1_000,
    )
    return SimpleNamespace(message=message)


def authentic(offset: int) -> Record:
    """Return a cancellation in its own partition, signed."""
    plain = cancel(offset)
    sent = Outgoing(
        topic=plain.topic, key=plain.key, value=plain.value, headers=list(plain.headers)
    )
    return as_read(signed(sent, "one"), offset, place_of(plain.topic, plain.key, CONFIG))


def held(offset: int, due_ms: int) -> Record:
    """Return a retry that is not due yet."""
    retry = Record(
        topic=RETRY,
        partition=0,
        offset=offset,
        key=b"o1",
        value=b"",
        headers=((RETRY_DUE_MS, str(due_ms).encode()),),
    )
    return record_of(event(retry))


# --- what a worker believes -----------------------------------------------------


@pytest.mark.parametrize(
    ("key", "topic", "authentic"),
    [
        pytest.param("one", payments, True, id="signed by Payflow"),
        pytest.param("two", payments, False, id="signed by another"),
        pytest.param("", payments, False, id="not signed"),
        pytest.param("", orders, orders.open, id="not signed, on a topic that may be open"),
    ],
)
def test_a_worker_asks_for_the_signature(
    running: Runner, key: str, topic: Any, authentic: bool
) -> None:
    """The configuration has the key; a runtime that believes everything would handle forgeries."""
    sent = Outgoing(topic=topic.name, key=b"o1", value=b"{}", headers=[("ce_id", b"e1")])
    record = as_read(signed(sent, key) if key else sent, 1)

    assert authentic == running._runtime.is_authentic(record, topic)


def test_a_worker_asks_whether_a_record_lies_where_its_key_belongs(running: Runner) -> None:
    """Elsewhere, another worker would have another row of the same key."""
    own = place_of("orders", b"o1", CONFIG)
    places = [replace(cancel(1), partition=at) for at in range(CONFIG.partitions)]

    assert [at == own for at in range(CONFIG.partitions)] == [
        running._runtime.in_own_partition(record) for record in places
    ]


# --- deadlines ---------------------------------------------------------------------


async def test_a_row_that_was_stored_is_woken_when_it_is_due(running: Runner) -> None:
    """The engine says when; the worker's heap has to know it."""
    record = authentic(7)

    await running._handle([record_of(event(record))])

    assert [(500, record.partition, b"o1")] == running.deadlines.reached(NOW_MS, 10)


async def test_a_deadline_is_found_again_after_a_recovery(running: Runner, rows: Rows) -> None:
    """Rows come from the changelog then, and nobody decides anything."""
    rows.put(2, {b"o1": encode_row(Row(state=Tally(received=1)))})
    rows.put(3, {b"o2": encode_row(Row(state=Tally()))})

    await running.rebuild()

    assert [(500, 2, b"o1")] == running.deadlines.reached(NOW_MS, 10)


async def test_what_is_given_away_is_woken_and_tried_again_by_its_next_owner(
    running: Runner,
) -> None:
    """A deadline or a retry kept here would be handled twice."""
    running.deadlines.put(0, b"o1", 500)
    assert not running._is_due(held(4, NOW_MS + 1_000))

    running._forget({TP("orders", 0)})

    assert (0, []) == (len(running.deadlines), running._held)


class Queue:
    """The queue of a stream that ends behind one event."""

    def __init__(self, *events: Any) -> None:
        self._events = list(events)

    async def get(self) -> Any:
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)

    def empty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("shared_out", "through"),
    [
        pytest.param(True, [], id="partitions are being shared out"),
        pytest.param(False, [8], id="events flow"),
    ],
)
async def test_no_batch_begins_while_partitions_are_shared_out(
    running: Runner, *, shared_out: bool, through: list[int]
) -> None:
    """Another worker may own them already; what was read for it comes again after the seek."""
    if shared_out:
        running._app.batches.suspend()

    queue = Queue(event(authentic(7)))
    await running.run(SimpleNamespace(channel=SimpleNamespace(queue=queue)))

    assert through == list(running._app.watermarks.next_offset.values())


# --- offsets -----------------------------------------------------------------------


async def test_offsets_move_when_a_batch_is_through(running: Runner) -> None:
    """To behind the highest of each partition, whatever the order in which they were read."""
    record = authentic(7)

    await running._handle([record_of(event(each)) for each in (record, authentic(6))])

    assert {("orders", record.partition): 8} == running._app.watermarks.next_offset


def test_offsets_do_not_pass_a_retry_that_waits(running: Runner) -> None:
    """After a crash it is read again only when nothing behind it was committed."""
    assert not running._is_due(held(4, NOW_MS + 1_000))
    later = Record(topic=RETRY, partition=0, offset=9, key=b"o2", value=b"")

    running._advance([later])

    assert {(RETRY, 0): 4} == running._app.watermarks.next_offset


def test_offsets_never_go_back() -> None:
    """What is through stays through: a batch of held retries ends behind newer ones."""
    watermarks = Watermarks()
    watermarks.move(("orders", 0), 8)
    watermarks.move(("orders", 0), 5)

    assert {("orders", 0): 8} == watermarks.next_offset
