"""Every line that is logged while an event is handled says which, whoever logs it."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from app.config import Config
from app.delivery.agent import Agent, Caller, Decider, Transient
from app.delivery.processor import run_batch
from app.host.logs import configure_logging
from app.kafka.producer import place_of
from app.wire.records import ORIGIN, Record
from app.worker import runner
from app.worker.batches import Batches
from app.worker.crash_points import CrashPoint
from app.worker.log_check import LogCheck
from app.worker.runner import Runner
from app.worker.watermarks import Watermarks
from tests.support.agents import ANSWERS, COUNTS, TALLY, as_record
from tests.support.runtime import FakeRuntime
from workflows.notification import topics as notification_topics
from workflows.notification.messages import NotificationSent, SendMessage
from workflows.order import topics as order_topics
from workflows.order.messages import OrderCancelRequested
from workflows.shared.message import Message

CONFIG = Config()
FIELDS = ("event", "service", "agent", "origin", "correlation_id")
KEYS = 5
RETRY = "notification.commands.test.retry-1s"

log = structlog.get_logger("agents")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Log as a worker does, into memory; restore logging afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Config(log_json=True, log_level="debug"), stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def logged(lines: io.StringIO, *loggers: str) -> list[tuple[str, ...]]:
    """Return what the lines of `loggers` say of where they come from."""
    read = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [
        tuple(str(each.get(name, "-")) for name in FIELDS)
        for each in read
        if each["logger"] in loggers
    ]


def cancelled(order_id: str, offset: int, reason: str = "") -> Record:
    """Return a cancellation of `order_id` as it is read."""
    message = OrderCancelRequested(order_id=order_id, reason=reason)
    return as_record(message, offset, partition=place_of("orders", order_id.encode(), CONFIG))


def send_record(order_id: str, offset: int, **changed: Any) -> Record:
    """Return a message to be sent for `order_id` as it is read."""
    message = SendMessage(
        transaction_id=order_id,
        notification_id=f"{order_id}/{offset}",
        channel="sms",
        title="",
        text="",
    )
    return as_record(message, offset, **changed)


class Outside:
    """Answers once all calls are under way; logs before, and after in another thread."""

    def __init__(self, callers: int = 1) -> None:
        self._missing = callers
        self._all_asked = asyncio.Event()

    async def call(self, message: SendMessage) -> tuple[Message, ...]:
        name = f"{message.notification_id} asked"
        log.info(name)
        self._missing -= 1
        if self._missing <= 0:
            self._all_asked.set()
        await self._all_asked.wait()
        await asyncio.to_thread(log.info, f"{message.notification_id} answered")
        if message.transaction_id == "o0":
            raise Transient("nobody answers")
        sent = NotificationSent(
            transaction_id=message.transaction_id,
            notification_id=message.notification_id,
            channel="sms",
        )
        return (sent,)


def calling(call: Any) -> Agent:
    """Return an agent that calls."""
    return Caller(
        name="calls",
        service="test",
        consumes=(notification_topics.notification_commands,),
        produces=(notification_topics.notifications,),
        call=call,
        retries=True,
    )


def decide(_state: Any, received: Any, _at_ms: int) -> Sequence[Message]:
    log.info("decided")
    logging.getLogger("library").info("asked by an agent")
    if received.reason == "explode":
        raise ZeroDivisionError("a bug")
    return ()


def rows(_received: Message, _envelope: Any) -> Sequence[str]:
    log.info("counted")
    return ("France",)


async def test_an_agent_that_decides_says_of_which_event(lines: io.StringIO) -> None:
    """Its own lines and those of libraries; an event that fails leaves nothing to the next."""
    agent = replace(ANSWERS, decide=decide)

    await run_batch(agent, FakeRuntime(), [cancelled("o1", 7, "explode"), cancelled("o2", 8)])
    log.info("outside")

    o1, o2 = (f"orders/{place_of('orders', key, CONFIG)}" for key in (b"o1", b"o2"))
    assert logged(lines, "agents", "library") == [
        ("decided", "test", "tally", f"{o1}/7", "o1"),
        ("asked by an agent", "test", "tally", f"{o1}/7", "o1"),
        ("decided", "test", "tally", f"{o2}/8", "o2"),
        ("asked by an agent", "test", "tally", f"{o2}/8", "o2"),
        ("outside", "-", "-", "-", "-"),
    ]


async def test_an_agent_that_counts_says_of_which_event(lines: io.StringIO) -> None:
    """As one that decides."""
    await run_batch(replace(COUNTS, rows=rows), FakeRuntime(), [cancelled("o1", 7)])

    at = f"orders/{place_of('orders', b'o1', CONFIG)}/7"
    assert [("counted", "test", "counts", at, "o1")] == logged(lines, "agents")


async def test_calls_under_way_at_once_speak_each_of_its_event(lines: io.StringIO) -> None:
    """Keys side by side, two events of each: no line is of another's, in threads neither."""
    records = [send_record(f"o{at % KEYS}", at) for at in range(2 * KEYS)]

    await run_batch(calling(Outside(KEYS).call), FakeRuntime(), records)

    logged_lines = logged(lines, "agents")
    assert 2 * 2 * KEYS == len(logged_lines)
    assert {len(FIELDS)} == {len(each) for each in logged_lines}
    for event, *where in logged_lines:
        order_id, _, offset = event.split()[0].partition("/")
        at = f"notification.commands/0/{offset}"
        assert ["test", "calls", at, order_id] == where
    # They were under way at once, or this would prove nothing.
    assert [each[0].endswith("asked") for each in logged_lines[:KEYS]] == [True] * KEYS


async def test_a_new_try_is_of_the_record_first_read(lines: io.StringIO) -> None:
    """Under the name that its first try had, and a dead letter has."""
    first = send_record("o1", 3)
    origin = "notification.commands/2/3"
    again = replace(
        first, topic=RETRY, offset=99, headers=(*first.headers, (ORIGIN, origin.encode()))
    )

    await run_batch(calling(Outside().call), FakeRuntime(), [again])

    assert {("test", "calls", origin, "o1")} == {each[1:] for each in logged(lines, "agents")}


# --- what the runner says of a batch ------------------------------------------


class Queue:
    """What Faust hands an agent: one batch of events, then the end."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._events = [event_of(record) for record in records]

    async def get(self) -> Any:
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)

    def get_nowait(self) -> Any:
        return self._events.pop(0)

    def empty(self) -> bool:
        return not self._events


def event_of(record: Record) -> Any:
    """Return `record` as Faust gives it."""
    fields = {name: getattr(record, name) for name in ("topic", "partition", "offset", "key")}
    message = SimpleNamespace(
        **fields, value=record.value, headers=list(record.headers), timestamp=1_000.0
    )
    return SimpleNamespace(message=message)


class Producer:
    """Acknowledges everything, or is away."""

    def __init__(self, *, away: bool) -> None:
        self._away = away

    def create_batch(self) -> Any:
        return SimpleNamespace(append=lambda **_fields: object())

    async def send_batch(self, _batch: Any, _topic: str, partition: int) -> Any:
        if self._away:
            raise ConnectionError(f"nobody leads partition {partition}")
        future = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(offset=0))
        return future


class Ended(Exception):
    """The process has ended here."""


async def run(
    agent: Agent, records: Sequence[Record], monkeypatch: pytest.MonkeyPatch, *, away: bool = False
) -> None:
    """Let a runner take `records` as one batch."""

    def hard_stop(reason: str) -> None:
        raise Ended(reason)

    monkeypatch.setattr(runner, "hard_stop", hard_stop)
    producers = SimpleNamespace(of_agents={agent.name: Producer(away=away)})
    app: Any = SimpleNamespace(
        agent_names=[],
        logs=LogCheck(Config()),
        revocation_listeners=[],
        crash_point=CrashPoint.of(""),
        batches=Batches(),
        watermarks=Watermarks(),
        should_stop=False,
        producer=producers,
    )
    stream = SimpleNamespace(channel=SimpleNamespace(queue=Queue(records)))
    store: Any = SimpleNamespace(
        get=lambda *_at: None,
        put=lambda *_rows: None,
        drain=lambda *_at: None,
        changelog="payflow-tally-changelog",
    )
    await Runner(app, agent, CONFIG, store).run(stream)


def deciding(decides: Any = decide) -> Agent:
    """Return an agent that decides and remembers nothing."""
    return Decider(
        name="says",
        service="test",
        consumes=(order_topics.orders,),
        table=TALLY,
        evolve=lambda state, _message, _at_ms: state,
        decide=decides,
    )


async def test_what_became_of_an_event_says_of_which(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applied, or dead-lettered."""
    good, bad = cancelled("o1", 7), cancelled("o2", 8, "explode")

    await run(deciding(), [good, bad], monkeypatch)

    assert logged(lines, "app.worker.runner") == [
        ("dead letter", "test", "says", bad.origin, "o2"),
        ("applied", "test", "says", good.origin, "o1"),
    ]


@pytest.mark.parametrize(
    ("away", "failing", "then"),
    [
        pytest.param(True, "", 0, id="the broker is away: the batch is known by its first event"),
        pytest.param(False, "o2", 1, id="at one event: by that"),
    ],
)
async def test_a_batch_that_failed_says_at_which_event(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, away: bool, failing: str, then: int
) -> None:
    """The last line before the process ends leads to the event."""
    records = [cancelled("o1", 7, "explode"), cancelled("o2", 8), cancelled("o3", 9)]

    def in_own_partition(_runtime: Any, record: Record) -> bool:
        if record.key == failing.encode():
            raise OSError("the disk is gone")
        return True

    monkeypatch.setattr(runner.KafkaRuntime, "in_own_partition", in_own_partition)
    with pytest.raises(Ended):
        await run(deciding(), records, monkeypatch, away=away)

    order_id = (records[then].key or b"").decode()
    line = ("batch failed", "test", "says", records[then].origin, order_id)
    assert [line] == logged(lines, "app.worker.runner")


async def test_the_call_that_broke_the_batch_is_named(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one of those that were cancelled for it."""

    async def call(_message: SendMessage) -> tuple[Message, ...]:
        await asyncio.Event().wait()
        return ()

    def read(_runtime: Any, _table: Any, _partition: int, key: bytes) -> None:
        if key == b"o3":
            raise OSError("the disk is gone")

    monkeypatch.setattr(runner.KafkaRuntime, "read", read)
    monkeypatch.setattr(runner.KafkaRuntime, "is_authentic", lambda *_: True)
    records = [
        send_record(key, at, partition=place_of("notification.commands", key.encode(), CONFIG))
        for at, key in enumerate(("o1", "o3", "o2"))
    ]
    with pytest.raises(Ended):
        await run(replace(calling(call), table=TALLY), records, monkeypatch)

    line = ("batch failed", "test", "calls", records[1].origin, "o3")
    assert [line] == logged(lines, "app.worker.runner")
