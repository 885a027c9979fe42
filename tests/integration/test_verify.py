"""Verify reads a real cluster: topics, rows, dead letters, what is parked and what is pending."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition

from app.config import Config
from app.delivery.dead_letters import to_dead, to_retry
from app.delivery.row import Row, encode_row
from app.kafka.admin import admin_client, delete_before, ensure_topics
from app.kafka.producer import partition_of
from app.local import broker
from app.operations.dead_letters.dead_letter import DeadLetter, edited
from app.operations.verification.auditor import Auditor, listeners, verify
from app.operations.verification.verdict import Verdict
from app.registry import wanted_topics
from app.wire import codecs
from app.wire.records import Outgoing, Record
from app.wire.signing import signed, signed_again
from app.wire.topics import changelog_topic
from tables.order import orders
from tables.stock import shelves
from tests.support.agents import cancel
from tests.support.broker import local_config
from tests.support.cluster import LONG_AGO_MS, NOW_MS, Cluster, emitted
from tests.support.examples.verification import (
    CLEARED,
    COMPLETED,
    CREATED,
    DELIVERED,
    PAYMENT_ENTRY,
    RESERVED,
    SALE_ENTRY,
    paid,
    placed,
)
from tests.support.runtime import as_read
from workflows.inventory.stock import Stock
from workflows.inventory.stock_messages import ReceiveStock, ReleaseStock, StockReceived
from workflows.order import process as order
from workflows.order.messages import OrderPlaced

POISON = b"{not json"
ROOT = Path(__file__).parents[2]


def shelf(sku: str, **units: int) -> Outgoing:
    return Outgoing(
        topic=changelog_topic(shelves),
        key=sku.encode(),
        value=encode_row(Row(state=Stock(**units))),
        headers=[],
    )


RECEIPTS = [
    emitted(message)
    for sku in ("MUG", "BOWL")
    for message in (
        ReceiveStock(receipt_id="first", sku=sku, quantity=10),
        StockReceived(receipt_id="first", sku=sku, quantity=10),
    )
]
GOOD_ORDER = [
    emitted(message)
    for message in (
        placed(),
        paid(),
        PAYMENT_ENTRY,
        RESERVED,
        CLEARED,
        CREATED,
        SALE_ENTRY,
        DELIVERED,
        COMPLETED,
    )
]
SHELVES = [
    shelf("MUG", received=10, on_hand=10),
    shelf("MUG", received=10, on_hand=8, shipped=2),
    shelf("BOWL", received=10, on_hand=9, shipped=1),
]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A broker of its own: the names of Payflow's topics are fixed."""
    own = local_config(tmp_path)
    started = broker.start(own)
    config = msgspec.structs.replace(own, broker_url=started.url)
    await ensure_topics(config, wanted_topics(config))
    yield Cluster(config)
    started.stop()


def broken(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    return {check.name: check.offending for check in verdict.checks if not check.ok}


async def test_what_was_deleted_before_it_was_read_is_named(cluster: Cluster) -> None:
    """By topic, service and offsets: the service was away for longer than the records."""
    await cluster.publish(GOOD_ORDER)
    await cluster.all_is_consumed()
    place = TopicPartition("orders", partition_of(b"o1", cluster.config.partitions))
    async with admin_client(cluster.config) as admin:
        await delete_before(admin, {place: 1})
    read = broken(await verify(cluster.config))
    await cluster.publish([GOOD_ORDER[0], GOOD_ORDER[0]])
    async with admin_client(cluster.config) as admin:
        await delete_before(admin, {place: 2})

    unread = broken(await verify(cluster.config))

    assert "nothing_deleted_unread" not in read, "what was read may go"
    readers = sorted(service for service, topics in listeners().items() if "orders" in topics)
    assert [f"orders/{place.partition} of {service}: 1 to 1" for service in readers] == list(
        unread["nothing_deleted_unread"]
    )


async def test_verify_reads_topics_rows_files_and_dead_letters(cluster: Cluster) -> None:
    """One instance, step by step: in order, then with each thing that only Kafka can show."""
    await cluster.publish([*RECEIPTS, *GOOD_ORDER, *SHELVES, GOOD_ORDER[1]])
    cluster.charge("o1", 800)
    await cluster.all_is_consumed()

    verdict = await verify(cluster.config)

    # The carrier's file is not there, and its simulator should be: it has delivered nothing.
    assert {"carrier_agrees": ("o1",)} == broken(verdict)
    assert (1, 1, 0) == tuple(
        verdict.figures[name] for name in ("orders_placed", "orders_completed", "orders_open")
    )
    assert (800, 0, 1) == (
        verdict.figures["charged_minor"],
        verdict.figures["stock_drift_units"],
        verdict.events_repeated,
    )

    # Poison on `orders`, passed by every service: each must have dead-lettered it.
    poison = Outgoing(topic="orders", key=b"o1", value=POISON, headers=[("ce_id", b"x")])
    await cluster.publish([poison])
    await cluster.all_is_consumed()
    missing = broken(await verify(cluster.config))["poison_is_dead_lettered"]
    hearers = [service for service, names in listeners().items() if "orders" in names]
    assert len(hearers) == len(missing)

    origin = missing[0].split(" ")[0]
    _, partition, offset = origin.rsplit("/", 2)
    record = as_read(poison, int(offset), int(partition))
    await cluster.publish([_dead(record, service) for service in hearers])
    verdict = await verify(cluster.config)
    assert {"carrier_agrees": ("o1",)} == broken(verdict)
    assert {f"orders.{service}.dead": 1 for service in hearers} == verdict.dead_letters

    # A dead letter that lost its bytes, and one that lost its cause.
    nameless = msgspec.structs.replace(_dead(record, "order"), value=None)
    causeless = msgspec.structs.replace(nameless, value=b"1", headers=[])
    await cluster.publish([signed(each, Config().signing_key) for each in (nameless, causeless)])
    # A record that no service of Payflow produced is not a dead letter.
    await cluster.publish([causeless])
    dead_letters = broken(await verify(cluster.config))["dead_letters_name_causes"]
    assert ("orders.order.dead/0/1", "orders.order.dead/0/2") == dead_letters


def _dead(record: Record, service: str) -> Outgoing:
    dead_letter = to_dead(
        record, service=service, agent=service, cause="not_json", detail="", stack="", now_ms=NOW_MS
    )
    return signed(dead_letter, Config().signing_key)


async def test_messages_that_were_mended_count_wherever_they_lie(cluster: Cluster) -> None:
    """Of one order whose start was poison all agrees once it is mended; another is stuck then."""
    auditor = Auditor(cluster.config)
    ended, stuck = placed(), placed("o2")
    origins = [msgspec.structs.replace(emitted(each), value=POISON) for each in (ended, stuck)]
    await cluster.publish([*RECEIPTS, *GOOD_ORDER[1:], *SHELVES, *origins])
    await cluster.publish([_open_row(stuck, LONG_AGO_MS)])
    cluster.charge("o1", 800)
    await cluster.all_is_consumed()
    poisoned = broken(await auditor.verdict())

    mended = [
        _mended(origin, agent, codecs.encode(message), cluster.config)
        for origin, message in zip(origins, (ended, stuck), strict=True)
        for agent in ("payment", "order", "inventory")
    ]
    await cluster.publish(mended)
    await cluster.all_is_consumed()
    followed, whole = await auditor.verdict(), await verify(cluster.config)

    assert {"charges_have_orders", "stock_agrees"} <= poisoned.keys()
    assert not {"charges_have_orders", "stock_agrees"} & broken(whole).keys()
    assert ("o2",) == broken(whole)["one_end"]
    # Partitions are read side by side, in any order.
    sets = [{name: set(ids) for name, ids in broken(each).items()} for each in (followed, whole)]
    assert sets[0] == sets[1]
    assert 2 == whole.figures["orders_placed"]


def _mended(origin: Outgoing, agent: str, body: bytes, config: Config) -> Outgoing:
    """Return what `payflow dead edit` sends `agent` in place of `origin`."""
    partition = partition_of(origin.key or b"", config.partitions)
    dead_letter = to_dead(
        as_read(origin, 0, partition), service=agent, agent=agent, cause="not_json", detail="",
        stack="", now_ms=NOW_MS,
    )  # fmt: skip
    read = DeadLetter(record=as_read(dead_letter, 0), at_ms=NOW_MS)
    return signed_again(edited(read, partition, body, {}, ""), Config().signing_key)


async def test_an_auditor_that_reads_only_what_is_new_comes_to_the_same_verdict(
    cluster: Cluster,
) -> None:
    """Read after every step, it says at the end what a reading of everything says."""
    auditor = Auditor(cluster.config)
    cluster.charge("o1", 800)
    await cluster.all_is_consumed()
    for step in ([*RECEIPTS, *GOOD_ORDER[:4]], GOOD_ORDER[4:], [*SHELVES, GOOD_ORDER[1]], []):
        await cluster.publish(step)
        await auditor.verdict()
        await cluster.all_is_consumed()

    followed, whole = await auditor.verdict(), await verify(cluster.config)

    assert broken(whole) == broken(followed)
    assert msgspec.structs.replace(whole, seen={}, at_ms=0) == msgspec.structs.replace(
        followed, seen={}, at_ms=0
    )


async def test_verify_allows_for_what_is_emitted_and_not_received(cluster: Cluster) -> None:
    """A shelf that has yet to receive a command is behind; one that has received it has drifted."""
    unconsumed = emitted(ReleaseStock(order_id="o1", sku="MUG"))
    behind = [SHELVES[0], SHELVES[2]]
    await cluster.publish([*RECEIPTS, *GOOD_ORDER, *behind])
    cluster.charge("o1", 800)
    await cluster.all_is_consumed()
    await cluster.publish([unconsumed])

    waiting = broken(await verify(cluster.config))
    await cluster.all_is_consumed()
    received = broken(await verify(cluster.config))

    assert "stock_agrees" not in waiting
    assert ("MUG (-2)",) == received["stock_agrees"]


async def test_verify_names_what_is_stuck_and_what_is_parked_too_long(cluster: Cluster) -> None:
    """The order's own row says when it is stuck; a retry topic's header says when it was due."""
    # The time of the import may be long past when the tests before this one took their time.
    now_ms = time.time_ns() // 1_000_000
    young, stuck, parked = placed("o2"), placed("o3"), cancel(1)
    dead_letter = to_retry(parked, "notification", 1, LONG_AGO_MS, "channel down")
    late = msgspec.structs.replace(dead_letter, topic="notification.commands.notification.retry-1s")
    forged = msgspec.structs.replace(late, key=b"told now")
    await cluster.publish(
        [emitted(young, now_ms - 60_000), emitted(stuck, now_ms - 60_000), forged]
    )
    await cluster.publish([late], LONG_AGO_MS)
    await cluster.publish([_open_row(young, now_ms), _open_row(stuck, LONG_AGO_MS)])
    await cluster.all_is_consumed()

    offending = broken(await verify(cluster.config))

    assert ("o3",) == offending["one_end"]
    assert 1 == len(offending["nothing_parked_late"])


def _open_row(message: OrderPlaced, at_ms: int) -> Outgoing:
    """Return the row of an order that has only been placed."""
    state = order.evolve(order.INITIAL, message, at_ms)
    return Outgoing(
        topic=changelog_topic(orders),
        key=message.order_id.encode(),
        value=encode_row(Row(state=state)),
        headers=[],
    )


async def test_the_command_line_says_it_in_json_and_by_its_exit_code(cluster: Cluster) -> None:
    """0 for an instance in order, 1 with the offending ids for one that is not, 2 for none."""
    await cluster.publish(RECEIPTS)
    await cluster.publish(
        [shelf("MUG", received=10, on_hand=10), shelf("BOWL", received=10, on_hand=10)]
    )
    await cluster.all_is_consumed()

    good, good_says = _run(cluster.config)
    await cluster.publish([shelf("MUG", received=10, on_hand=9)])
    bad, bad_says = _run(cluster.config)
    nowhere, _ = _run(msgspec.structs.replace(cluster.config, broker_url="127.0.0.1:9"))

    assert (0, 1, 2) == (good, bad, nowhere)
    assert (True, False) == (good_says["verify_ok"], bad_says["verify_ok"])
    assert {"shelves_add_up": ["MUG"]} == {
        check["name"]: check["offending"] for check in bad_says["checks"] if not check["ok"]
    }


def _run(config: Config) -> tuple[int, dict]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PAYFLOW_")}
    run = subprocess.run(
        [sys.executable, "-m", "app.operations.verification.auditor", "--json"],
        cwd=ROOT, env=others | config.to_env(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return run.returncode, json.loads(run.stdout or "{}")
