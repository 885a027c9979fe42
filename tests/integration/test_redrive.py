"""A thousand dead letters go back to work, whoever is killed on the way."""

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
from tests.delivery.agents import TALLY, cancel
from tests.integration.kafka import local_config
from tests.integration.test_delivery import end, read, until
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
async def instance(tmp_path: Path) -> AsyncIterator[Config]:
    """A broker of its own with the topics of the agent `tally`."""
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
    record = {
        "PAYFLOW_SERVICE": "test",
        "PAYFLOW_BROKER_URL": config.broker_url,
        "PAYFLOW_DATA_DIR": config.data_dir,
        "PYTHONPATH": str(ROOT),
    }
    return os.environ | record


def worker(config: Config, module: str, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Start a worker of the test agent, broken (`tally_app`) or mended (`mended_app`)."""
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
    """Start `payflow dead ...` for Payflow of the test agent."""
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
    """Produce what the broken agent cannot handle: ten cancellations of each of 100 orders."""
    producer = AIOKafkaProducer(bootstrap_servers=config.broker_url)
    await producer.start()
    for number in range(KEYS * EACH):
        order_id = f"o{number % KEYS}"
        envelope = cancel(number, event_id=f"cancel-{number:04}").headers
        body = msgspec.json.encode(OrderCancelRequested(order_id=order_id, reason="explode"))
        await producer.send("orders", body, key=order_id.encode(), headers=list(envelope))
    await producer.flush()
    await producer.stop()


async def count(config: Config, topic: str, partitions: int) -> int:
    return len(await read(config, topic, partitions))


@pytest.mark.timeout(400)
async def test_a_thousand_dead_letters_are_handled_once_though_everybody_is_killed(
    instance: Config, stack: ExitStack
) -> None:
    """The redriver is killed among them, the worker too: 1,000 handled, in order, none twice."""
    await feed(instance)
    broken = worker(instance, "tally_app", stack)
    await until(lambda: _is(count(instance, "orders.test.dead", 1), KEYS * EACH), "all laid aside")
    broken.terminate()
    broken.wait(20)

    group = payflow(instance, "ls")[0]
    assert (KEYS * EACH, {"open": KEYS * EACH}, "ZeroDivisionError") == (
        group["dead_letters"],
        group["states"],
        group["cause"],
    )
    before = payflow(instance, "redrive", "--cause", "ZeroDivisionError", "--dry-run")
    assert (KEYS * EACH, KEYS, {"tally": KEYS * EACH}) == (
        before["dead_letters"],
        before["keys"],
        before["agents"],
    )
    assert 0 == await count(instance, "tally.redrive", 4)

    mended = worker(instance, "mended_app", stack)
    killed = redriver(instance, "redrive", "--all", "--rate", "150", "--reason", "mended")
    await until(lambda: _is(count(instance, "tally.redrive", 4), 200), "some letters are sent")
    killed.kill()
    killed.communicate()
    mended.send_signal(signal.SIGKILL)
    mended.wait()
    worker(instance, "mended_app", stack)
    outcome = payflow(instance, "redrive", "--all", "--rate", "500", "--reason", "mended")

    assert 0 == outcome["failed_again"] + outcome["waiting"] + outcome["unsent"]
    assert {"handled": KEYS * EACH} == payflow(instance, "ls")[0]["states"]
    rows = {r.key: r.value for r in await read(instance, "payflow-test-tally-changelog", 4)}
    received = {key: decode_row(TALLY, body).state.received for key, body in rows.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    await _emitted_once_and_in_order(instance)
    actions = Counter(
        header(_plain(action), "ce_type").split(".")[2]
        for action in await read(instance, "audit", 4)
    )
    sent = {r.key for r in await read(instance, "audit", 4) if b"letter_redriven" in r.value}
    assert KEYS * EACH == len(sent)
    assert (2, 1) == (actions["redrive_began"], actions["redrive_ended"])


async def _emitted_once_and_in_order(config: Config) -> None:
    numbers = {
        event_of(_plain(record), 0).id: header(_plain(record), "ce_id")
        for record in await read(config, "orders", 4)
    }
    emitted: dict[bytes, list[str]] = {}
    for record in await read(config, "payments", 4):
        # Payflow has names of its own for what others emit on an open topic.
        cause = numbers[header(_plain(record), "ce_causationid")]
        causes = emitted.setdefault(record.key, [])
        if cause not in causes:
            causes.append(cause)

    assert KEYS * EACH == sum(len(causes) for causes in emitted.values())
    assert all(causes == sorted(causes) for causes in emitted.values())


async def test_dead_letters_are_edited_and_dropped_one_by_one(
    instance: Config, stack: ExitStack
) -> None:
    """Changed bytes go as another event.

    What is no event is refused; a dropped dead letter stays.
    """
    broken = worker(instance, "tally_app", stack)
    producer = AIOKafkaProducer(bootstrap_servers=instance.broker_url)
    await producer.start()
    for number in range(3):
        envelope = list(cancel(number, event_id=f"bad-{number}").headers)
        await producer.send_and_wait("orders", b"{not json", key=b"o1", headers=envelope)
    await producer.stop()
    await until(lambda: _is(count(instance, "orders.test.dead", 1), 3), "all laid aside")
    body = Path(instance.data_dir) / "body.json"
    body.write_bytes(b"{still not json")
    refused = redriver(instance, "edit", "orders.test.dead", "0", "--file", str(body))
    _, why = refused.communicate(timeout=60)
    body.write_bytes(msgspec.json.encode(OrderCancelRequested(order_id="o1")))
    accepted = redriver(instance, "edit", "orders.test.dead", "0", "--file", str(body))
    accepted.communicate(timeout=60)
    discarded = redriver(instance, "discard", "orders.test.dead", "1", "--reason", "a test")
    discarded.communicate(timeout=60)
    again = redriver(instance, "redrive", "orders.test.dead", "1")
    _, said = again.communicate(timeout=60)
    twice = redriver(instance, "edit", "orders.test.dead", "0", "--file", str(body))
    twice.communicate(timeout=60)
    await until(lambda: _is(count(instance, "payments", 4), 1), "the edited one is handled")
    broken.terminate()
    broken.wait(20)

    assert (1, 0, 0, 1, 1) == tuple(
        each.returncode for each in (refused, accepted, discarded, again, twice)
    )
    assert "would fail again: not_json" in why.replace("\n", " ")
    assert "no open letter" in said
    states = {
        dead_letter["offset"]: dead_letter["state"]
        for dead_letter in payflow(instance, "ls", "--all")
    }
    assert {0: "handled", 1: "discarded", 2: "open"} == states
    redriven = _plain((await read(instance, "tally.redrive", 4))[0])
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
