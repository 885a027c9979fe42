"""Reads all that determines the status of dead letters: topics, and the offsets of groups."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager

from app.config import Config
from app.delivery.agent_topics import consumed_topics
from app.kafka.admin import AIOKafkaAdminClient, admin_client
from app.kafka.groups import committed_offsets, group_of
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, read_to_end, reader, span
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import DeadLetterFacts, RedriveAttempt
from app.registry import load_agents
from app.wire import codecs, records, signing
from app.wire.envelope import Undecodable, from_headers
from app.wire.records import Record, header
from app.wire.topics import topic_name
from workflows.audit import topics as audit_topics
from workflows.audit.dead_letter_actions import (
    DeadLetterDiscarded,
    DeadLetterEdited,
    DeadLetterEditProposed,
    DeadLetterRedriven,
)

Place = tuple[str, int]
Committed = Mapping[str, Mapping[Place, int]]
"""By service: the next offset of each topic and partition."""


async def gather(config: Config) -> DeadLetterFacts:
    """Return the status of every dead letter of Payflow."""
    async with reading(config) as opened:
        return await opened.read_status()


@asynccontextmanager
async def reading(config: Config) -> AsyncIterator["Reader"]:
    """Open a reader that can read more than once."""
    async with admin_client(config) as admin, reader(config) as consumer:
        yield Reader(config, admin, consumer)


class Reader:
    """Reads every record once: each read goes on from the end of the one before."""

    def __init__(
        self, config: Config, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
    ) -> None:
        self._config = config
        self._admin = admin
        self._consumer = consumer
        self._next: dict[TopicPartition, int] = {}
        self._dead_letters: list[DeadLetter] = []
        self._sendings: dict[str, list[RedriveAttempt]] = {}
        self._parked: list[Record] = []
        """Dead letters sent back that came to a retry topic, whether or not they wait there still.
        """
        self._actions = Actions()
        self._foreign = 0

    async def read_status(self) -> DeadLetterFacts:
        """Return the status of every dead letter of Payflow."""
        # Read before the ends: an event that an agent has committed, and its new dead letter, lie
        # before them.
        committed = await _committed(self._admin)
        async for record, at_ms in self._new_records():
            self._take(record, at_ms)
        self._dead_letters.sort(
            key=lambda dead_letter: (dead_letter.record.topic, dead_letter.record.offset)
        )
        return self.facts(committed)

    def facts(self, committed: Committed) -> DeadLetterFacts:
        """Return the status by what was read, when services have `committed` so far."""
        waiting = (record for record in self._parked if _waits(record, committed))
        return DeadLetterFacts(
            dead_letters=tuple(self._dead_letters),
            attempts=dict(_of_operators(self._sendings, self._actions.sent)),
            through=_through(committed),
            parked=frozenset(header(record, records.REDRIVE_ID) for record in waiting),
            discarded=dict(self._actions.discarded),
            proposed=dict(self._actions.proposed),
            edited_minor=dict(self._actions.edited_minor),
            foreign=self._foreign,
        )

    def _take(self, record: Record, at_ms: int) -> None:
        if topic_name(record.topic).kind == "dead":
            if signing.is_authentic_dead_letter(record, self._config):
                self._dead_letters.append(DeadLetter(record=record, at_ms=at_ms))
            else:
                self._foreign += 1
        elif records.is_redriven(record):
            attempt = _attempt(record)
            self._sendings.setdefault(attempt.of, []).append(attempt)
        elif records.is_retry(record):
            if header(record, records.REDRIVE_ID):
                self._parked.append(record)
        else:
            self._actions.take(record, self._config)

    async def _new_records(self) -> AsyncIterator[tuple[Record, int]]:
        """Yield every record up to where topics end now, and its time (ms)."""
        # Records that are deleted meanwhile are not waited for.
        begins, ends = await span(self._consumer, await _places(self._admin))
        starts = {place: max(self._next.get(place, 0), at) for place, at in begins.items()}
        async for record in read_to_end(self._consumer, starts, ends):
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
            yield records.as_read(record), record.timestamp
        # Transaction markers and compacted records leave gaps after the last record.
        self._next |= ends


def _attempt(record: Record) -> RedriveAttempt:
    return RedriveAttempt(
        redrive_id=header(record, records.REDRIVE_ID),
        of=header(record, records.REDRIVE_OF),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _waits(record: Record, committed: Committed) -> bool:
    service = topic_name(record.topic).service
    through = committed.get(service, {}).get((record.topic, record.partition), 0)
    return record.offset >= through


class Actions:
    """The actions of operators on dead letters, by the signed records of the audit."""

    def __init__(self) -> None:
        self.discarded: dict[str, str] = {}
        self.sent: set[tuple[str, str]] = set()
        """Place and id of every redrive."""
        self.proposed: dict[str, tuple[str, ...]] = {}
        self.edited_minor: dict[str, int] = {}

    def take(self, record: Record, config: Config) -> None:
        """Note the action in `record`, if Payflow has produced it."""
        if not signing.is_signed(record, config):
            return
        try:
            message = codecs.decode(record.value, from_headers(record.headers), record.key)
        except Undecodable:
            return  # `payflow audit verify` names it.
        match message:
            case DeadLetterDiscarded():
                self.discarded[message.about] = message.why
            case DeadLetterRedriven():
                self.sent.add((message.about, message.redrive_id))
            case DeadLetterEdited():
                self.sent.add((message.about, message.redrive_id))
                before_minor = self.edited_minor.get(message.about, 0)
                self.edited_minor[message.about] = before_minor + message.worth_minor
            case DeadLetterEditProposed():
                proposers = self.proposed.get(message.edit_id, ())
                self.proposed[message.edit_id] = tuple(dict.fromkeys((*proposers, message.who)))
            case _:
                pass


def _of_operators(
    attempts: Mapping[str, Sequence[RedriveAttempt]], sent: AbstractSet[tuple[str, str]]
) -> Iterator[tuple[str, RedriveAttempt]]:
    """Yield the first attempt of each dead letter that the audit knows.

    The headers of a redriven record have no signature. Anybody could write one by which a
    dead letter looks handled.
    """
    for place, every in attempts.items():
        audited_attempts = [each for each in every if (place, each.redrive_id) in sent]
        if audited_attempts:
            yield place, audited_attempts[0]


def _through(committed: Committed) -> dict[Place, int]:
    return {
        place: offset
        for offsets in committed.values()
        for place, offset in offsets.items()
        if topic_name(place[0]).kind == "redrive"
    }


async def _committed(admin: AIOKafkaAdminClient) -> Committed:
    offsets_by_service: dict[str, dict[Place, int]] = {}
    for service in {agent.service for agent in load_agents().values()}:
        offsets = await committed_offsets(admin, group_of(service))
        offsets_by_service[service] = {
            (tp.topic, tp.partition): offset for tp, offset in offsets.items()
        }
    return offsets_by_service


async def _places(admin: AIOKafkaAdminClient) -> list[TopicPartition]:
    retried = {
        name
        for agent in load_agents().values()
        for name in consumed_topics(agent)
        if topic_name(name).kind == "retry"
    }
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in await admin.describe_topics()
        if topic_name(topic["topic"]).kind in ("dead", "redrive")
        or topic["topic"] in retried | {audit_topics.audit.name}
        for partition in topic["partitions"]
    ]
