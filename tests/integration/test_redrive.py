"""A thousand letters go back to work, whoever is killed on the way."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from app.config import Config
from app.delivery.row import decode_row
from app.kafka.admin import TopicSpec, ensure_topics
from app.local import broker
from app.operations.replay.event_order import event_of
from app.wire.records import Record, header
from tests.integration.kafka import local_config
from tests.integration.test_delivery import end, read, until
from tests.shell.rooms import TALLY, cancel
from workflows.order.messages import OrderCancelRequested

KEYS, EACH = 100, 10
ROOT = Path(__file__).parents[2]
TOPICS = {
    "orders": 4,
    "payments": 4,
    "payflow-test-tally-changelog": 4,
    "orders.test.dead": 1,
    "tally.redrive": 4,
    "audit": 4,
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Config]:
    """A broker of its own with the topics of the room `tally`."""
    own = local_config(tmp_path)
    started = broker.start(own)
    config = msgspec.structs.replace(own, broker_url=started.url)
    await ensure_topics(
        config, [TopicSpec(name=n, partitions=count) for n, count in TOPICS.items()]
    )
    yield config
    started.stop()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What has to be ended whatever happens."""
    with ExitStack() as stack:
        yield stack


def environment(config: Config) -> dict[str, str]:
    given = {
        "PAYFLOW_SERVICE": "test",
        "PAYFLOW_BROKER_URL": config.broker_url,
        "PAYFLOW_DATA_DIR": config.data_dir,
        "PYTHONPATH": str(ROOT),
    }
    return os.environ | given


def worker(config: Config, module: str, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Start a worker of the test room, broken (`tally_app`) or mended (`mended_app`)."""
    command = [sys.executable, "-m", "faust", "-A", f"tests.integration.{module}"]
    started = subprocess.Popen(
        [*command, "-L", "uvloop", "worker", "--without-web", "-l", "error"],
        env=environment(config),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(end, started)
    return started


def redriver(config: Config, *arguments: str) -> subprocess.Popen[str]:
    """Start `payflow dead ...` for the house of the test room."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.redriver", "dead", *arguments],
        env=environment(config),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def payflow(config: Config, *arguments: str) -> Any:
    """Return what `payflow dead ...` says as JSON."""
    said, errors = redriver(config, *arguments, "--json").communicate(timeout=90)
    assert said, errors
    return json.loads(said)


async def feed(config: Config) -> None:
    """Tell what the broken room cannot handle: ten cancellations for each of a hundred orders."""
    producer = AIOKafkaProducer(bootstrap_servers=config.broker_url)
    await producer.start()
    for number in range(KEYS * EACH):
        order_id = f"o{number % KEYS}"
        head = cancel(number, event_id=f"cancel-{number:04}").headers
        body = msgspec.json.encode(OrderCancelRequested(order_id=order_id, reason="explode"))
        await producer.send("orders", body, key=order_id.encode(), headers=list(head))
    await producer.flush()
    await producer.stop()


async def count(config: Config, topic: str, partitions: int) -> int:
    return len(await read(config, topic, partitions))


@pytest.mark.timeout(400)
async def test_a_thousand_letters_are_handled_once_though_everybody_is_killed(
    house: Config, stack: ExitStack
) -> None:
    """The redriver is killed among them, the worker too: 1,000 handled, in order, none twice."""
    await feed(house)
    broken = worker(house, "tally_app", stack)
    await until(lambda: _is(count(house, "orders.test.dead", 1), KEYS * EACH), "all laid aside")
    broken.terminate()
    broken.wait(20)

    group = payflow(house, "ls")[0]
    assert (KEYS * EACH, {"open": KEYS * EACH}, "ZeroDivisionError") == (
        group["letters"],
        group["states"],
        group["cause"],
    )
    before = payflow(house, "redrive", "--cause", "ZeroDivisionError", "--dry-run")
    assert (KEYS * EACH, KEYS, {"tally": KEYS * EACH}) == (
        before["letters"],
        before["keys"],
        before["rooms"],
    )
    assert 0 == await count(house, "tally.redrive", 4)

    mended = worker(house, "mended_app", stack)
    killed = redriver(house, "redrive", "--all", "--rate", "150", "--reason", "mended")
    await until(lambda: _is(count(house, "tally.redrive", 4), 200), "some letters are sent")
    killed.kill()
    killed.communicate()
    mended.send_signal(signal.SIGKILL)
    mended.wait()
    worker(house, "mended_app", stack)
    outcome = payflow(house, "redrive", "--all", "--rate", "500", "--reason", "mended")

    assert 0 == outcome["failed_again"] + outcome["waiting"] + outcome["unsent"]
    assert {"handled": KEYS * EACH} == payflow(house, "ls")[0]["states"]
    rows = {r.key: r.value for r in await read(house, "payflow-test-tally-changelog", 4)}
    heard = {key: decode_row(TALLY, body).memory.heard for key, body in rows.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == heard
    await _told_once_and_in_order(house)
    acts = Counter(
        header(_plain(act), "ce_type").split(".")[2] for act in await read(house, "audit", 4)
    )
    sent = {r.key for r in await read(house, "audit", 4) if b"letter_redriven" in r.value}
    assert KEYS * EACH == len(sent)
    assert (2, 1) == (acts["redrive_began"], acts["redrive_ended"])


async def _told_once_and_in_order(config: Config) -> None:
    numbers = {
        event_of(_plain(record), 0).id: header(_plain(record), "ce_id")
        for record in await read(config, "orders", 4)
    }
    told: dict[bytes, list[str]] = {}
    for record in await read(config, "payments", 4):
        # The house has names of its own for what others tell on an open topic.
        cause = numbers[header(_plain(record), "ce_causationid")]
        causes = told.setdefault(record.key, [])
        if cause not in causes:
            causes.append(cause)

    assert KEYS * EACH == sum(len(causes) for causes in told.values())
    assert all(causes == sorted(causes) for causes in told.values())


async def test_letters_are_edited_and_dropped_one_by_one(house: Config, stack: ExitStack) -> None:
    """Changed bytes go as another event; what is no event is refused; a dropped letter stays."""
    broken = worker(house, "tally_app", stack)
    producer = AIOKafkaProducer(bootstrap_servers=house.broker_url)
    await producer.start()
    for number in range(3):
        head = list(cancel(number, event_id=f"bad-{number}").headers)
        await producer.send_and_wait("orders", b"{not json", key=b"o1", headers=head)
    await producer.stop()
    await until(lambda: _is(count(house, "orders.test.dead", 1), 3), "all laid aside")
    body = Path(house.data_dir) / "body.json"
    body.write_bytes(b"{still not json")
    refused = redriver(house, "edit", "orders.test.dead", "0", "--file", str(body))
    _, why = refused.communicate(timeout=60)
    body.write_bytes(msgspec.json.encode(OrderCancelRequested(order_id="o1")))
    accepted = redriver(house, "edit", "orders.test.dead", "0", "--file", str(body))
    accepted.communicate(timeout=60)
    dropped = redriver(house, "drop", "orders.test.dead", "1", "--reason", "a test")
    dropped.communicate(timeout=60)
    again = redriver(house, "redrive", "orders.test.dead", "1")
    _, said = again.communicate(timeout=60)
    twice = redriver(house, "edit", "orders.test.dead", "0", "--file", str(body))
    twice.communicate(timeout=60)
    await until(lambda: _is(count(house, "payments", 4), 1), "the edited one is handled")
    broken.terminate()
    broken.wait(20)

    assert (1, 0, 0, 1, 1) == tuple(
        each.returncode for each in (refused, accepted, dropped, again, twice)
    )
    assert "would fail again: not_json" in why.replace("\n", " ")
    assert "no open letter" in said
    states = {letter["offset"]: letter["state"] for letter in payflow(house, "ls", "--all")}
    assert {0: "handled", 1: "dropped", 2: "open"} == states
    redriven = _plain((await read(house, "tally.redrive", 4))[0])
    assert "bad-0" == header(redriven, "x-edited-from")
    assert "bad-0" != header(redriven, "ce_id")


async def _is(found: Any, wanted: int) -> bool:
    return await found >= wanted


def _plain(record: Any) -> Record:
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
