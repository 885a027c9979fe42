"""Checkpoints the audit as it grows: reads `audit`, and produces digests on `audit.chain`.

A checkpoint is computed from the audit alone, so several consoles emit the same ones, without state
and without knowing of each other. A console goes on from the last checkpoint: a change before that
is never signed anew, and `payflow audit verify` finds it.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.config import Config
from app.host.processes import wait_seconds
from app.kafka.errors import KafkaError
from app.kafka.reader import AIOKafkaConsumer, declared_places
from app.operations.audit.chain import ChainHead, after, beginning, chain_head_of
from app.operations.audit.reader import checkpoint_in, checkpoints, reader
from app.wire.clock import now_ms
from app.wire.envelope import Envelope, derive_id
from app.wire.records import as_read
from workflows.audit import topics as audit_topics
from workflows.audit.checkpoint import AuditCheckpointed
from workflows.shared.message import Message, type_name

CHECK_MS = 1_000
"""How long records may wait for a checkpoint: those of one read share one."""
PUBLISH_SECONDS_MAX = 30.0

Publish = Callable[[Message, Envelope], Awaitable[None]]

log = structlog.get_logger(__name__)


class Checkpointer:
    """Keeps the chain head of every partition in memory, and produces checkpoints."""

    def __init__(self, config: Config, publish: Publish) -> None:
        self._config = config
        self._publish = publish
        self._chain_heads: dict[int, ChainHead] = {}
        self._checkpointed: dict[int, int] = {}
        """By partition, the offset of the last checkpoint, of any console."""

    async def run(self) -> None:
        """Produce checkpoints in a loop; wait while the broker is away."""
        failed = 0
        while True:
            try:
                async with reader(self._config) as consumer:
                    await self._resume(consumer)
                    failed = 0
                    while True:
                        await self._check_once(consumer)
            except (KafkaError, TimeoutError) as error:
                log.warning("audit checkpoint failed", error=repr(error)[:200])
                await asyncio.sleep(wait_seconds(failed))
                failed += 1

    async def _resume(self, consumer: AIOKafkaConsumer) -> None:
        heads_by_partition, _ = await checkpoints(consumer, self._config)
        here = declared_places(audit_topics.audit.name, self._config)
        begins, ends = await consumer.beginning_offsets(here), await consumer.end_offsets(here)
        self._chain_heads, positions = {}, {}
        for place in here:
            at = place.partition
            chain_head = max(
                heads_by_partition.get(at, ()), key=lambda each: each.offset, default=beginning(at)
            )
            self._chain_heads[at], self._checkpointed[at] = chain_head, chain_head.offset
            if chain_head.offset >= ends[place]:
                log.error("checkpointed actions are gone; see: payflow audit verify", partition=at)
                continue
            positions[place] = max(chain_head.offset + 1, begins[place])
        chain = declared_places(audit_topics.audit_chain.name, self._config)
        positions |= await consumer.end_offsets(chain)
        consumer.assign(list(positions))
        for place, position in positions.items():
            consumer.seek(place, position)

    async def _check_once(self, consumer: AIOKafkaConsumer) -> None:
        """Add new records to the chain, and produce a checkpoint of them."""
        for place, batch in (await consumer.getmany(timeout_ms=CHECK_MS)).items():
            for record in map(as_read, batch):
                if place.topic == audit_topics.audit.name:
                    self._chain_heads[place.partition] = after(
                        self._chain_heads[place.partition], record
                    )
                else:
                    self._receive(checkpoint_in(record, self._config))
        for at, chain_head in self._chain_heads.items():
            if chain_head.offset > self._checkpointed.get(at, -1):
                await self._checkpoint_now(at, chain_head)

    def _receive(self, checkpointed: AuditCheckpointed | None) -> None:
        """Receive the checkpoints of all consoles, this one included."""
        if checkpointed is None:
            log.error("a checkpoint without a valid signature; see: payflow audit verify")
            return
        at = checkpointed.partition
        self._checkpointed[at] = max(self._checkpointed.get(at, -1), checkpointed.offset)
        mine = self._chain_heads.get(at)
        if (
            mine is not None
            and mine.offset == checkpointed.offset
            and mine != chain_head_of(checkpointed)
        ):
            log.error("checkpoints differ; see: payflow audit verify", partition=at)

    async def _checkpoint_now(self, at: int, chain_head: ChainHead) -> None:
        message = AuditCheckpointed(
            partition=at, offset=chain_head.offset, count=chain_head.count, digest=chain_head.digest
        )
        key = audit_topics.audit_chain.key(message)
        envelope = Envelope(
            id=derive_id("audit sealed", at, chain_head.offset, chain_head.digest),
            type=type_name(AuditCheckpointed),
            source="/payflow/console",
            time_ms=now_ms(),
            subject=key,
            correlation_id=f"audit/{key}",
        )
        await asyncio.wait_for(self._publish(message, envelope), PUBLISH_SECONDS_MAX)
        self._checkpointed[at] = chain_head.offset
        # The log is a witness outside the broker.
        log.info(
            "audit checkpoint", partition=at, offset=chain_head.offset, digest=chain_head.digest
        )
