"""Whoever waits for dead letters reads each record once, and sees what a fresh look would see."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec.structs import replace

from app.config import Config
from app.delivery.agent import registered
from app.delivery.dead_letters import to_dead
from app.kafka import admin as kafka_admin
from app.kafka import reader as kafka_reader
from app.kafka.admin import TopicSpec, client_options, ensure_topics
from app.kafka.messages import publish
from app.kafka.producer import produce
from app.kafka.reader import consumer_options
from app.local import broker
from app.operations.dead_letters import reader as reading
from app.operations.dead_letters.audit_records import Action, audited, dead_letter_redriven
from app.operations.dead_letters.dead_letter import DeadLetter, redrive_id, sent_back
from app.operations.dead_letters.reader import gather
from app.operations.dead_letters.redrive import redriver
from app.operations.dead_letters.status import DeadLetterFacts, states
from app.wire.records import REDRIVE_ID, Outgoing, Record
from app.wire.signing import signed
from app.wire.topics import partitions_of
from tests.support.agents import ANSWERS, cancel
from tests.support.broker import local_config
from tests.support.runtime import as_read
from workflows.audit.dead_letter_actions import DeadLetterDiscarded

DEAD, REDRIVE = "orders.test.dead", "tally.redrive"
RETRY = "notification.commands.notification.retry-1s"
DEAD_LETTERS, READS = 20, 4
ACTION = Action(who="ann", why="mended", at_ms=1)


class EnoughRead(Exception):
    """Nobody waits any longer."""


@pytest.fixture
async def instance(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Config]:
    """A broker of its own, with the topics on which dead letters of the agent `tally` move."""
    monkeypatch.setitem(registered, ANSWERS.name, ANSWERS)
    own = local_config(tmp_path)
    started = broker.start(own)
    config = replace(own, broker_url=started.url)
    names = (DEAD, REDRIVE, RETRY, "audit")
    specs = [TopicSpec(name=name, partitions=partitions_of(name, config)) for name in names]
    await ensure_topics(config, specs)
    # The broker knows of groups once there is one.
    await commit(config, "test", TopicPartition(REDRIVE, 0), 0)
    yield config
    started.stop()


@asynccontextmanager
async def producing(config: Config) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**client_options(config))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def put(config: Config, *records: Outgoing) -> None:
    """Put `records` on their topics, signed."""
    async with producing(config) as producer:
        await produce(producer, [signed(each, config.signing_key) for each in records], config)


def dead_lettered(record: Record) -> Outgoing:
    """Return the dead letter that the agent makes of `record`."""
    return to_dead(
        record, service="test", agent="tally", cause="bug", detail="", stack="", now_ms=1,
        first_topic="orders",
    )  # fmt: skip


def again(dead_letter: DeadLetter) -> Record:
    """Return `dead_letter` as the agent reads it when it was sent back."""
    return as_read(sent_back(dead_letter, 0), 0)


async def commit(config: Config, service: str, place: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(
        group_id=f"payflow-{service}", enable_auto_commit=False, **consumer_options(config)
    )
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: offset})
    await consumer.stop()


@pytest.fixture
def read_counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts clients that were made to read dead letters, and what was read of each topic."""
    counted: Counter[str] = Counter()

    class Consumer(AIOKafkaConsumer):
        def __init__(self, *places: Any, **options: Any) -> None:
            counted["consumers"] += 1
            super().__init__(*places, **options)

        async def getmany(self, *places: Any, **options: Any) -> Any:
            records_by_place = await super().getmany(*places, **options)
            for place, records in records_by_place.items():
                counted[place.topic] += len(records)
            return records_by_place

    class Admin(AIOKafkaAdminClient):
        def __init__(self, **options: Any) -> None:
            counted["admins"] += 1
            super().__init__(**options)

    monkeypatch.setattr(kafka_reader, "AIOKafkaConsumer", Consumer)
    monkeypatch.setattr(kafka_admin, "AIOKafkaAdminClient", Admin)
    return counted


async def test_who_waits_for_dead_letters_reads_each_record_once(
    instance: Config, read_counts: Counter[str]
) -> None:
    """Nobody handles the canary: one reader reads again and again for it."""
    await put(instance, *(dead_lettered(cancel(number)) for number in range(DEAD_LETTERS)))
    line_counts: Counter[str] = Counter()

    def say(line: str) -> None:
        line_counts[line] += 1
        if line_counts["1 on their way"] == READS:
            raise EnoughRead

    with pytest.raises(EnoughRead):
        async with redriver(instance) as sender:
            await sender.redrive((await sender.read_status()).dead_letters, ACTION, say)

    # Of the audit: that the redrive began, and that the canary was sent.
    assert {"consumers": 1, "admins": 1, DEAD: DEAD_LETTERS, REDRIVE: 1, "audit": 2} == read_counts


async def test_reading_on_comes_to_what_reading_anew_does(instance: Config) -> None:
    """Dead-lettered, redriven, waiting for a retry, past it, failed again, discarded."""
    counts: list[dict[str, int]] = []

    async with reading.reading(instance) as reader:

        async def read_again() -> DeadLetterFacts:
            facts = await reader.read_status()
            assert await gather(instance) == facts
            counts.append(dict(Counter(states(facts).values())))
            return facts

        await read_again()
        await put(instance, *(dead_lettered(cancel(number)) for number in range(3)))
        latest = await read_again()
        acts = [dead_letter_redriven(each, ACTION) for each in latest.dead_letters[:2]]
        await put(instance, *(audited(each, ACTION) for each in acts))
        sent = [sent_back(dead_letter, 0) for dead_letter in latest.dead_letters[:2]]
        await put(instance, *sent)
        await read_again()
        waiting = [(REDRIVE_ID, redrive_id(latest.dead_letters[0]).encode())]
        await put(instance, replace(sent[0], topic=RETRY, partition=0, headers=waiting))
        await commit(instance, "test", TopicPartition(REDRIVE, 0), 2)
        await read_again()
        await commit(instance, "notification", TopicPartition(RETRY, 0), 1)
        await read_again()
        await put(instance, dead_lettered(again(latest.dead_letters[1])))
        await read_again()
        await publish(
            instance, [DeadLetterDiscarded(about=f"{DEAD}/0/2", who="ann", why="a test")], 1
        )
        await read_again()

    assert counts == [
        {},
        {"open": 3},
        {"sent": 2, "open": 1},
        {"sent": 1, "handled": 1, "open": 1},
        {"handled": 2, "open": 1},
        {"handled": 1, "again": 1, "open": 2},
        {"handled": 1, "again": 1, "discarded": 1, "open": 1},
    ]
