"""Reads the audit and its checkpoints up to their ends, and verifies one by the other."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from app.config import Config
from app.kafka.messages import messages_of
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, declared_places, read_to_end
from app.kafka.reader import reader as open_reader
from app.operations.audit.chain import (
    GAP,
    Breach,
    ChainHead,
    PartitionResult,
    Prover,
    chain_head_of,
)
from app.wire import codecs
from app.wire.envelope import Undecodable, from_headers
from app.wire.records import Record, as_read
from app.wire.signing import is_signed
from workflows.audit import topics as audit_topics
from workflows.audit.checkpoint import AuditCheckpointed
from workflows.audit.messages import RefundProposed

DIGEST = re.compile("[0-9a-f]{64}")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the audit is unchanged, and where it is not."""

    audit_ok: bool
    actions: int
    checkpoints: int
    unsealed: int
    partitions: tuple[PartitionResult, ...]
    breaches: tuple[Breach, ...]
    """The breaches, the first in the audit first."""


@asynccontextmanager
async def reader(config: Config) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer that seeks to given offsets, and raises when an offset is gone."""
    async with open_reader(config, auto_offset_reset="none") as consumer:
        yield consumer


async def records(
    consumer: AIOKafkaConsumer, place: TopicPartition, end: int
) -> AsyncIterator[Record]:
    """Yield the records at `place` before `end`."""
    begins = await consumer.beginning_offsets([place])
    async for record in read_to_end(consumer, begins, {place: end}):
        yield as_read(record)


async def verify(
    config: Config, earlier_by_partition: Mapping[int, Sequence[ChainHead]] | None = None
) -> Verdict:
    """Return whether the audit agrees with its checkpoints, and with `earlier_by_partition`."""
    async with reader(config) as consumer:
        heads_by_partition, breaches = await checkpoints(consumer, config)
        # Read after the checkpoints: the records that they cover must be there.
        ends = await consumer.end_offsets(declared_places(audit_topics.audit.name, config))
        proven: list[PartitionResult] = []
        for place, end in ends.items():
            at = place.partition
            chain_heads = [
                *heads_by_partition.get(at, ()),
                *(earlier_by_partition or {}).get(at, ()),
            ]
            prover = Prover(at, chain_heads, lambda record: is_signed(record, config))
            async for record in records(consumer, place, end):
                prover.receive(record)
            proven.append(prover.done())
    all_breaches = [breach for each in proven for breach in each.breaches] + breaches
    return Verdict(
        audit_ok=not all_breaches,
        actions=sum(each.actions for each in proven),
        checkpoints=sum(each.checkpoints for each in proven),
        unsealed=sum(each.unsealed for each in proven),
        partitions=tuple(proven),
        breaches=tuple(all_breaches),
    )


async def checkpoints(
    consumer: AIOKafkaConsumer, config: Config
) -> tuple[dict[int, list[ChainHead]], list[Breach]]:
    """Return the checkpoints so far by partition of the audit, and what is wrong with them."""
    heads_by_partition: dict[int, list[ChainHead]] = {}
    breaches: list[Breach] = []
    ends = await consumer.end_offsets(declared_places(audit_topics.audit_chain.name, config))
    for place, end in ends.items():
        due = 0
        async for record in records(consumer, place, end):
            checkpointed = checkpoint_in(record, config)
            if checkpointed is None:
                breaches.append(Breach(place=_place(record), what="no checkpoint of Payflow"))
            else:
                heads_by_partition.setdefault(checkpointed.partition, []).append(
                    chain_head_of(checkpointed)
                )
            if record.offset != due:
                gap = f"{place.topic}/{place.partition}/{due}..{record.offset - 1}"
                breaches.append(Breach(place=gap, what=f"checkpoints are missing: {GAP}"))
            due = record.offset + 1
        if due < end:
            gap = f"{place.topic}/{place.partition}/{due}..{end - 1}"
            breaches.append(Breach(place=gap, what=f"checkpoints are missing: {GAP}"))
    return heads_by_partition, breaches


def checkpoint_in(record: Record, config: Config) -> AuditCheckpointed | None:
    """Return the checkpoint in `record`, or None when Payflow did not produce it."""
    if not is_signed(record, config):
        return None
    try:
        message = codecs.decode(record.value, from_headers(record.headers), record.key)
    except Undecodable:
        return None
    return (
        message
        if isinstance(message, AuditCheckpointed) and DIGEST.fullmatch(message.digest)
        else None
    )


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def proposal_in(config: Config) -> Callable[[str, str], Awaitable[RefundProposed | None]]:
    """Return a function that finds the first proposal of a refund by order id and refund id."""

    async def find(order_id: str, refund_id: str) -> RefundProposed | None:
        messages: Iterable[object] = (
            message for _, message in await messages_of(config, [audit_topics.audit])
        )
        proposals = (message for message in messages if isinstance(message, RefundProposed))
        return next((w for w in proposals if (w.about, w.refund_id) == (order_id, refund_id)), None)

    return find
