"""A thousand dead letters go back to work, whoever is killed on the way."""

import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from app.config import Config
from app.delivery.row import decode_row
from app.operations.replay.event_order import event_of
from app.wire.records import Record, header
from tests.support.agents import TALLY, cancel
from tests.support.dead_letter_commands import count, payflow, redriver
from tests.support.workers import read, until, worker
from workflows.order.messages import OrderCancelRequested

KEYS, EACH = 100, 10


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


@pytest.mark.timeout(400)
async def test_a_thousand_dead_letters_are_handled_once_though_everybody_is_killed(
    redrive_instance: Config, stack: ExitStack
) -> None:
    """The redriver is killed among them, the worker too: 1,000 handled, in order, none twice."""
    await feed(redrive_instance)
    broken = worker(redrive_instance, "tally_app", stack)
    await until(
        lambda: _is(count(redrive_instance, "orders.test.dead", 1), KEYS * EACH),
        "all dead-lettered",
    )
    broken.terminate()
    broken.wait(20)

    group = payflow(redrive_instance, "ls")[0]
    assert (KEYS * EACH, {"open": KEYS * EACH}, "ZeroDivisionError") == (
        group["dead_letters"],
        group["states"],
        group["cause"],
    )
    before = payflow(redrive_instance, "redrive", "--cause", "ZeroDivisionError", "--dry-run")
    assert (KEYS * EACH, KEYS, {"tally": KEYS * EACH}) == (
        before["dead_letters"],
        before["keys"],
        before["agents"],
    )
    assert 0 == await count(redrive_instance, "tally.redrive", 4)

    mended = worker(redrive_instance, "repaired_app", stack)
    killed = redriver(redrive_instance, "redrive", "--all", "--rate", "150", "--reason", "mended")
    await until(
        lambda: _is(count(redrive_instance, "tally.redrive", 4), 200), "some dead letters are sent"
    )
    killed.kill()
    killed.communicate()
    mended.send_signal(signal.SIGKILL)
    mended.wait()
    worker(redrive_instance, "repaired_app", stack)
    outcome = payflow(redrive_instance, "redrive", "--all", "--rate", "500", "--reason", "mended")

    assert 0 == outcome["failed_again"] + outcome["waiting"] + outcome["unsent"]
    assert {"handled": KEYS * EACH} == payflow(redrive_instance, "ls")[0]["states"]
    rows = {r.key: r.value for r in await read(redrive_instance, "payflow-test-tally-changelog", 4)}
    received = {key: decode_row(TALLY, body).state.received for key, body in rows.items()}
    assert {f"o{at}".encode(): EACH for at in range(KEYS)} == received
    await _emitted_once_and_in_order(redrive_instance)
    actions = Counter(
        header(_plain(action), "ce_type").split(".")[2]
        for action in await read(redrive_instance, "audit", 4)
    )
    sent = {
        r.key for r in await read(redrive_instance, "audit", 4) if b"letter_redriven" in r.value
    }
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
    redrive_instance: Config, stack: ExitStack
) -> None:
    """Changed bytes go as another event.

    What is not an event is refused; a dropped dead letter stays.
    """
    broken = worker(redrive_instance, "tally_app", stack)
    producer = AIOKafkaProducer(bootstrap_servers=redrive_instance.broker_url)
    await producer.start()
    for number in range(3):
        envelope = list(cancel(number, event_id=f"bad-{number}").headers)
        await producer.send_and_wait("orders", b"{not json", key=b"o1", headers=envelope)
    await producer.stop()
    await until(lambda: _is(count(redrive_instance, "orders.test.dead", 1), 3), "all dead-lettered")
    body = Path(redrive_instance.data_dir) / "body.json"
    body.write_bytes(b"{still not json")
    refused = redriver(redrive_instance, "edit", "orders.test.dead", "0", "--file", str(body))
    _, why = refused.communicate(timeout=60)
    body.write_bytes(msgspec.json.encode(OrderCancelRequested(order_id="o1")))
    accepted = redriver(redrive_instance, "edit", "orders.test.dead", "0", "--file", str(body))
    accepted.communicate(timeout=60)
    discarded = redriver(redrive_instance, "discard", "orders.test.dead", "1", "--reason", "a test")
    discarded.communicate(timeout=60)
    again = redriver(redrive_instance, "redrive", "orders.test.dead", "1")
    _, errors = again.communicate(timeout=60)
    twice = redriver(redrive_instance, "edit", "orders.test.dead", "0", "--file", str(body))
    twice.communicate(timeout=60)
    await until(lambda: _is(count(redrive_instance, "payments", 4), 1), "the edited one is handled")
    broken.terminate()
    broken.wait(20)

    assert (1, 0, 0, 1, 1) == tuple(
        each.returncode for each in (refused, accepted, discarded, again, twice)
    )
    assert "would fail again: not_json" in why.replace("\n", " ")
    assert "no open dead letter" in errors
    states = {
        dead_letter["offset"]: dead_letter["state"]
        for dead_letter in payflow(redrive_instance, "ls", "--all")
    }
    assert {0: "handled", 1: "discarded", 2: "open"} == states
    redriven = _plain((await read(redrive_instance, "tally.redrive", 4))[0])
    assert "bad-0" == header(redriven, "x-edited-from")
    assert "bad-0" != header(redriven, "ce_id")


async def _is(counting: Any, least: int) -> bool:
    return await counting >= least


def _plain(record: Any) -> Record:
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
