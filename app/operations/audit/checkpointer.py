"""Seals the audit as it grows: hears `audit`, tells on `audit.chain` what lies there so far.

A checkpoint says nothing that is not on the audit itself. Several consoles tell the same ones; none
has to know of the others, and none keeps a row. It goes on from the last checkpoint: what was
changed before that is for `payflow audit verify` to find, and is never sealed anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from app.config import Config
from app.host.processes import wait_seconds
from app.operations.audit.chain import Head, after, beginning, head_of
from app.operations.audit.reader import checkpoint_in, checkpoints, places, reader
from app.wire import topics
from app.wire.envelope import Envelope, derive_id
from app.wire.records import as_read
from workflows.audit.messages import AuditSealed
from workflows.shared.message import Message, type_name

LOOK_MS = 1_000
"""How long records may lie unsealed: those of one look share a checkpoint."""
TELL_SECONDS_MAX = 30.0

Tell = Callable[[Message, Envelope], Awaitable[None]]

log = structlog.get_logger(__name__)


class Sealer:
    """Keeps the chain of every partition in memory, and tells checkpoints."""

    def __init__(self, config: Config, tell: Tell) -> None:
        self._config = config
        self._tell = tell
        self._heads: dict[int, Head] = {}
        self._sealed: dict[int, int] = {}
        """By partition, how far it is sealed, by whomever."""

    async def run(self) -> None:
        """Seal for ever; a broker that is away is waited for."""
        failed = 0
        while True:
            try:
                async with reader(self._config) as consumer:
                    await self._resume(consumer)
                    failed = 0
                    while True:
                        await self._look(consumer)
            except (KafkaError, TimeoutError) as error:
                log.warning("the audit is not sealed now", error=repr(error)[:200])
                await asyncio.sleep(wait_seconds(failed))
                failed += 1

    async def _resume(self, consumer: Any) -> None:
        said, _ = await checkpoints(consumer, self._config)
        here = places(topics.audit, self._config)
        begins, ends = await consumer.beginning_offsets(here), await consumer.end_offsets(here)
        self._heads, positions = {}, {}
        for place in here:
            at = place.partition
            head = max(said.get(at, ()), key=lambda each: each.offset, default=beginning(at))
            self._heads[at], self._sealed[at] = head, head.offset
            if head.offset >= ends[place]:
                log.error("sealed acts are gone; see: payflow audit verify", partition=at)
                continue
            positions[place] = max(head.offset + 1, begins[place])
        chain = places(topics.audit_chain, self._config)
        positions |= await consumer.end_offsets(chain)
        consumer.assign(list(positions))
        for place, position in positions.items():
            consumer.seek(place, position)

    async def _look(self, consumer: Any) -> None:
        """Take what came, and seal it."""
        for place, found in (await consumer.getmany(timeout_ms=LOOK_MS)).items():
            for given in map(as_read, found):
                if place.topic == topics.audit.name:
                    self._heads[place.partition] = after(self._heads[place.partition], given)
                else:
                    self._hear(checkpoint_in(given, self._config))
        for at, head in self._heads.items():
            if head.offset > self._sealed.get(at, -1):
                await self._seal(at, head)

    def _hear(self, sealed: AuditSealed | None) -> None:
        """Take what some console has told, this one included."""
        if sealed is None:
            log.error("a checkpoint that the house has not told; see: payflow audit verify")
            return
        at = sealed.partition
        self._sealed[at] = max(self._sealed.get(at, -1), sealed.offset)
        mine = self._heads.get(at)
        if mine is not None and mine.offset == sealed.offset and mine != head_of(sealed):
            log.error("checkpoints differ; see: payflow audit verify", partition=at)

    async def _seal(self, at: int, head: Head) -> None:
        word = AuditSealed(partition=at, offset=head.offset, count=head.count, digest=head.digest)
        key = topics.audit_chain.key(word)
        envelope = Envelope(
            id=derive_id("audit sealed", at, head.offset, head.digest),
            type=type_name(AuditSealed),
            source="/payflow/console",
            time_ms=time.time_ns() // 1_000_000,
            subject=key,
            correlation_id=f"audit/{key}",
        )
        await asyncio.wait_for(self._tell(word, envelope), TELL_SECONDS_MAX)
        self._sealed[at] = head.offset
        # A witness outside the broker.
        log.info("audit sealed", partition=at, offset=head.offset, digest=head.digest)
