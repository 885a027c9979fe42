"""Reads Payflow for `verify`: a cut through every topic, without joining any group.

It notes the groups' committed offsets first, then the ends of all topics, and only then reads.
Events between the two may not have been consumed yet; all earlier ones have had their effects,
which lie before the ends. So the check may run at any time, beside an instance under full load.

A dead letter that was mended lies on the redrive topics of the agents that failed, and nowhere
else: these are read like the topics of events.
"""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import structlog
from msgspec.structs import replace

from app.config import Config
from app.delivery import row
from app.delivery.agent import registered, topic_received_on
from app.kafka.admin import admin_client
from app.kafka.producer import place_of
from app.kafka.reader import TopicPartition, read_to_end, reader
from app.operations.verification.consistent_cut import (
    ConsistentCut,
    ConsumedTopics,
    Place,
    WrittenTopics,
    sources_of,
    take_consistent_cut,
)
from app.operations.verification.facts import Facts, UndecodableRecord
from app.wire import codecs, records, signing
from app.wire.envelope import Envelope, Undecodable, from_headers
from app.wire.records import Record
from app.wire.topics import dead_topic, topic_name
from tables import Table
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.message import Message
from workflows.shared.topic import topic_of
from workflows.shared.workflow import Workflow

log = structlog.get_logger(__name__)

PENDING_MS_MAX = 600_000
"""An event that is not consumed for longer than this explains no difference any more."""
PARKED_MS_MAX = 60_000
"""How long past its time a parked event may wait: a restart and a recovery."""


class Unreadable(PayflowError):
    """The cluster cannot be read; the message says what was tried."""

    kind: ClassVar[ErrorKind] = "unavailable"


async def read_topics(  # noqa: PLR0913  the facts, and where they come from
    config: Config,
    workflows: Sequence[Workflow],
    topics: tuple[ConsumedTopics, WrittenTopics],
    facts: Facts,
    now_ms: int,
    offset_by_place: dict[Place, int],
) -> int:
    """Add to `facts` what the invariants of `workflows` need; return how many records were read.

    `topics` are those that each service reads, and those that only it writes.
    `offset_by_place` says how far each partition has been read before, and is moved on. Raises
    KafkaError when the cluster cannot be reached or stops answering.
    """
    async with admin_client(config) as admin, reader(config) as consumer:
        consistent_cut = await take_consistent_cut(admin, consumer, sources_of(workflows), *topics)
        facts.forget_what_moves()
        facts.deleted_unread += consistent_cut.deleted_unread()
        facts.deleted_before_start += consistent_cut.deleted_before_start()
        taker = _Taker(facts, workflows, consistent_cut, now_ms, offset_by_place, config)
        starts = consistent_cut.starts(offset_by_place)
        ends = {TopicPartition(*place): end for place, end in consistent_cut.ends.items()}
        async for record in read_to_end(
            consumer, {TopicPartition(*place): start for place, start in starts.items()}, ends
        ):
            taker.take(records.as_read(record), record.timestamp)
        offset_by_place.update(consistent_cut.ends)
        return taker.count


class _Taker:
    """Adds each record to the facts."""

    def __init__(  # noqa: PLR0913  the facts, and where they come from
        self,
        facts: Facts,
        workflows: Sequence[Workflow],
        consistent_cut: ConsistentCut,
        now_ms: int,
        offset_by_place: dict[Place, int],
        config: Config,
    ) -> None:
        self.facts = facts
        self.workflows = workflows
        self.config = config
        self.consistent_cut = consistent_cut
        self.now_ms = now_ms
        self.known = offset_by_place
        self.count = 0

    def take(self, record: Record, at_ms: int) -> None:
        self.count += 1
        kind = topic_name(record.topic).kind
        if kind == "dead":
            self._take_dead(record)
        elif kind == "retry":
            self._take_parked(record, at_ms)
        elif record.topic in self.consistent_cut.sources.changelogs:
            if row.is_row(record.key):
                self._take_row(record, self.consistent_cut.sources.changelogs[record.topic])
        else:
            self._take_event(record, at_ms)
        place = (record.topic, record.partition)
        self.known[place] = max(self.known.get(place, 0), record.offset + 1)

    def _take_event(self, record: Record, at_ms: int) -> None:
        place = (record.topic, record.partition)
        received = self.consistent_cut.received(place)
        unconsumed = received is not None and record.offset >= received
        if unconsumed and self.now_ms - at_ms < PENDING_MS_MAX:
            self.facts.pending |= self._pending_ids(record)
        redriven = records.is_redriven(record) and received is not None
        if record.topic not in self.consistent_cut.sources.events and not redriven:
            return
        try:
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
            _check_origin(record, envelope, message, self.config)
        except Undecodable:
            if redriven:
                # Its agent dead-letters it again, under the origin that is known as unreadable.
                return
            self.facts.unreadable[record.origin] = UndecodableRecord(
                digest=records.digest(record), due_in=self._due_in(record)
            )
        else:
            if record.offset >= self.known.get(place, 0):
                trusted = signing.trusted_envelope(envelope, record, topic_of(message))
                # It lies there: a clock that was ahead must not make it look new for hours.
                past = replace(trusted, time_ms=min(trusted.time_ms, self.now_ms))
                self.facts.project(self.workflows, message, past)

    def _take_parked(self, record: Record, at_ms: int) -> None:
        self.facts.parked += 1
        self.facts.pending |= self._pending_ids(record)
        # A retry is not due before it was produced, whatever its headers claim.
        if self.now_ms - max(records.due_ms(record), at_ms) > PARKED_MS_MAX:
            self.facts.parked_late.append(f"{record.topic}/{record.partition}/{record.offset}")

    def _pending_ids(self, record: Record) -> set[str]:
        """Return the key and the transaction of an event that its agent has still to handle.

        They explain differences, so of an event that Payflow has not produced they are those that
        its agent takes: none where it refuses it, else what the body names, not the header.
        """
        try:
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
        except Undecodable:
            return set()
        if not signing.is_authentic(record, topic_of(message), self.config):
            return set()
        own = signing.in_own_transaction(envelope, record, message)
        return {(record.key or b"").decode(errors="replace"), own.correlation_id}

    def _take_row(self, record: Record, table: Table) -> None:
        try:
            state = None if record.value is None else row.decode_row(table, record.value).state
            key = (record.key or b"").decode()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # No row of a worker: what a worker makes of it, it says itself.
            log.warning("no row of a table", origin=record.origin, error=str(error))
            return
        for workflow in self.workflows:
            take = workflow.invariants.rows.get(table.name)
            if take is not None:
                take(self.facts.of(workflow), key, state)

    def _take_dead(self, record: Record) -> None:
        if signing.is_authentic_dead_letter(record, self.config):
            _take_dead(self.facts, record)
        else:
            self.facts.foreign_dead_letters += 1

    def _due_in(self, record: Record) -> frozenset[str]:
        """Return the dead topics of the services that have read past this record."""
        place = (record.topic, record.partition)
        return frozenset(
            dead_topic(record.topic, service)
            for service, received in self.consistent_cut.consumed.items()
            if record.topic in received
            and self.consistent_cut.committed[service].get(place, 0) > record.offset
        )


def _check_origin(record: Record, envelope: Envelope, message: Message, config: Config) -> None:
    """Raise Poison where the engine would: see `app.delivery.processor`."""
    first_topic = topic_of(message)
    if first_topic.name != _received_on(record):
        raise codecs.Poison("wrong_topic", first_topic.name)
    if record.partition != place_of(record.topic, record.key, config):
        raise codecs.Poison("wrong_partition", first_topic.name)
    if not signing.is_authentic(record, first_topic, config):
        raise codecs.Poison("forged", first_topic.name)
    if signing.from_the_future(envelope, record, first_topic):
        raise codecs.Poison("from_the_future", first_topic.name)


def _received_on(record: Record) -> str:
    agent = registered.get(topic_name(record.topic).agent)
    return record.topic if agent is None else topic_received_on(agent, record)


def _take_dead(facts: Facts, record: Record) -> None:
    cause = records.header(record, "x-dead-cause")
    origin = records.header(record, "x-dead-origin")
    facts.dead.setdefault(record.topic, Counter())[cause or "unknown"] += 1
    # One of them must have the produced bytes: others may be edited, or claim the origin of
    # another.
    dead_lettered = facts.dead_digests.setdefault(origin, {})
    dead_lettered.setdefault(record.topic, set()).add(records.digest_dead_lettered(record))
    bytes_lost = record.value is None and records.header(record, records.DEAD_BYTES) != "none"
    if not cause or not origin or bytes_lost:
        facts.nameless.append(f"{record.topic}/{record.partition}/{record.offset}")
