"""Reads the audit and its checkpoints up to their ends, and proves one by the other."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.config import Config
from app.fraud.analysis.fraud_admin import words_of
from app.kafka.admin import client_options, stop_consumer
from app.operations.audit.chain import Breach, Head, Proven, Prover, head_of
from app.wire import codecs, envelope, topics
from app.wire.records import Record, as_read
from app.wire.signing import of_the_house
from app.wire.topics import Topic
from workflows.audit.messages import AuditSealed, RefundProposed

READ_MS = 300
DIGEST = re.compile("[0-9a-f]{64}")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the audit is what it was, and where it is not."""

    audit_ok: bool
    acts: int
    checkpoints: int
    unsealed: int
    partitions: tuple[Proven, ...]
    breaches: tuple[Breach, ...]
    """The first place that does not hold comes first."""


@asynccontextmanager
async def reader(config: Config) -> AsyncIterator[Any]:
    """Open a consumer that reads where it is told to, and says where a place is not there."""
    consumer = AIOKafkaConsumer(
        enable_auto_commit=False, auto_offset_reset="none", **client_options(config)
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await stop_consumer(consumer)


def places(topic: Topic, config: Config) -> list[TopicPartition]:
    """Return the partitions of `topic`."""
    count = topics.partitions_of(topic.name, config)
    return [TopicPartition(topic.name, at) for at in range(count)]


async def records(consumer: Any, place: TopicPartition, end: int) -> AsyncIterator[Record]:
    """Yield what lies at `place` before `end`."""
    begin = (await consumer.beginning_offsets([place]))[place]
    consumer.assign([place])
    consumer.seek(place, begin)
    while await consumer.position(place) < end:
        for given in (await consumer.getmany(place, timeout_ms=READ_MS)).get(place, []):
            if given.offset < end:
                yield as_read(given)


async def verify(config: Config, known: Mapping[int, Sequence[Head]] | None = None) -> Verdict:
    """Return whether the audit is what its checkpoints say; `known`: by partition, more of them."""
    async with reader(config) as consumer:
        said, breaches = await checkpoints(consumer, config)
        # Looked at after the checkpoints: what one of them says must be there.
        ends = await consumer.end_offsets(places(topics.audit, config))
        proven: list[Proven] = []
        for place, end in ends.items():
            at = place.partition
            heads = [*said.get(at, ()), *(known or {}).get(at, ())]
            prover = Prover(at, heads, lambda given: of_the_house(given, config))
            async for given in records(consumer, place, end):
                prover.hear(given)
            proven.append(prover.done())
    found = [breach for each in proven for breach in each.breaches] + breaches
    return Verdict(
        audit_ok=not found,
        acts=sum(each.acts for each in proven),
        checkpoints=sum(each.checkpoints for each in proven),
        unsealed=sum(each.unsealed for each in proven),
        partitions=tuple(proven),
        breaches=tuple(found),
    )


async def checkpoints(consumer: Any, config: Config) -> tuple[dict[int, list[Head]], list[Breach]]:
    """Return the checkpoints told so far by partition of the audit, and what is wrong with them."""
    said: dict[int, list[Head]] = {}
    breaches: list[Breach] = []
    ends = await consumer.end_offsets(places(topics.audit_chain, config))
    for place, end in ends.items():
        due = 0
        async for given in records(consumer, place, end):
            sealed = checkpoint_in(given, config)
            if sealed is None:
                breaches.append(Breach(place=_place(given), what="no checkpoint of the house"))
            else:
                said.setdefault(sealed.partition, []).append(head_of(sealed))
            if given.offset != due:
                gone = f"{place.topic}/{place.partition}/{due}..{given.offset - 1}"
                breaches.append(Breach(place=gone, what="checkpoints are missing"))
            due = given.offset + 1
        if due < end:
            gone = f"{place.topic}/{place.partition}/{due}..{end - 1}"
            breaches.append(Breach(place=gone, what="checkpoints are missing"))
    return said, breaches


def checkpoint_in(given: Record, config: Config) -> AuditSealed | None:
    """Return the checkpoint in `given`, or None when it is none of the house."""
    if not of_the_house(given, config):
        return None
    try:
        word = codecs.decode(given.value, envelope.from_headers(given.headers), given.key)
    except (codecs.Poison, envelope.BadEnvelope):
        return None
    return word if isinstance(word, AuditSealed) and DIGEST.fullmatch(word.digest) else None


def _place(given: Record) -> str:
    return f"{given.topic}/{given.partition}/{given.offset}"


def proposal_in(config: Config) -> Callable[[str, str], Awaitable[RefundProposed | None]]:
    """Return what finds the first proposal of a refund by order id and refund id."""

    async def find(order_id: str, refund_id: str) -> RefundProposed | None:
        words: Iterable[Any] = (word for _, word in await words_of(config, [topics.audit]))
        found = (word for word in words if isinstance(word, RefundProposed))
        return next((w for w in found if (w.about, w.refund_id) == (order_id, refund_id)), None)

    return find
