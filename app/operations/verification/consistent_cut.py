"""A consistent cut: the committed offsets of every group, and then the ends of every topic."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

import tables
from app.kafka.admin import AIOKafkaAdminClient
from app.kafka.applied_logs import has_run
from app.kafka.groups import commits, group_of
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, begins_of, span
from app.wire.topics import changelog_topic, topic_name
from tables import Table
from workflows.shared.workflow import Workflow

Place = tuple[str, int]
"""Topic and partition."""
ConsumedTopics = Mapping[str, frozenset[str]]
"""By service: the topics it reads, its retries and timers included."""
WrittenTopics = Mapping[str, frozenset[str]]
"""By service: the topics that only it writes, its changelogs included."""


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Which topics are read for their facts, and whose work is checked by them."""

    events: frozenset[str]
    changelogs: dict[str, Table]
    """By the changelog of each table whose rows are read: the table."""
    services: frozenset[str]
    """The services whose work is checked: events that they have not consumed yet are allowed
    for."""


def sources_of(workflows: Iterable[Workflow]) -> Sources:
    """Return the sources that the invariants of `workflows` need."""
    invariants = [each.invariants for each in workflows]
    read = [tables.declared[name] for each in invariants for name in each.rows]
    return Sources(
        events=frozenset(topic.name for each in invariants for topic in each.topics),
        changelogs={changelog_topic(table): table for table in read},
        services=frozenset().union(*(each.services for each in invariants)),
    )


class ConsistentCut(msgspec.Struct, frozen=True, kw_only=True):
    """The committed offsets of every group, and then the first and last of every partition."""

    sources: Sources
    consumed: ConsumedTopics
    committed: dict[str, dict[Place, int]]
    """By service: the next offset of each partition it has committed."""
    begins: dict[Place, int]
    ends: dict[Place, int]
    begun: dict[Place, int] = {}
    """Where each partition began before the groups were asked: what they read since is not lost."""
    unstarted: frozenset[str] = frozenset()
    """The services that have never run: they begin with what there is then."""

    def deleted_unread(self) -> list[str]:
        """Return what was deleted before a service had read it, or that nobody can say of."""
        return self._deleted(self.consumed.keys() - self.unstarted)

    def deleted_before_start(self) -> list[str]:
        """Return what was deleted before a service has run for the first time, not a loss."""
        return self._deleted(self.unstarted)

    def _deleted(self, services: Collection[str]) -> list[str]:
        return [
            f"{topic}/{partition} of {service}: {max(at, 0)} to {begin - 1}"
            for service in sorted(services)
            for (topic, partition), begin in sorted(self.begun.items())
            if topic in self.consumed[service]
            # Without a committed offset, its offsets have expired.
            and (at := self.committed[service].get((topic, partition), -1)) < begin
            and begin
        ]

    def received(self, place: Place) -> int | None:
        """Return the offset up to which every checked service has consumed `place`.

        None: none does.
        """
        offsets = [
            self.committed[service].get(place, 0)
            for service in self.sources.services
            if place[0] in self.consumed.get(service, ())
        ]
        return min(offsets, default=None)

    def starts(self, offset_by_place: Mapping[Place, int]) -> dict[Place, int]:
        """Return where to begin reading each partition that has something to read.

        What lies before `offset_by_place` has been read; what a service has yet to receive is read
        again.
        """
        start_by_place = {
            place: max(begin, self._start(place, offset_by_place))
            for place, begin in self.begins.items()
        }
        return {place: at for place, at in start_by_place.items() if at < self.ends[place]}

    def _start(self, place: Place, offset_by_place: Mapping[Place, int]) -> int:
        topic = place[0]
        name = topic_name(topic)
        if name.kind == "retry":
            return self.committed[name.service].get(place, 0)
        received = self.received(place)
        if topic in self.sources.changelogs or name.kind == "dead":
            return offset_by_place.get(place, 0)
        if topic in self.sources.events:
            start = offset_by_place.get(place, 0)
            return start if received is None else min(start, received)
        if received is None:
            return self.ends[place]
        return min(offset_by_place.get(place, 0), received) if name.kind == "redrive" else received


async def take_consistent_cut(
    admin: AIOKafkaAdminClient,
    consumer: AIOKafkaConsumer,
    sources: Sources,
    consumed: ConsumedTopics,
    written: WrittenTopics,
) -> ConsistentCut:
    """Return the offsets: those of the groups first, then those of the topics."""
    read = frozenset().union(
        *consumed.values(), *written.values(), sources.events, sources.changelogs
    )
    places = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in await admin.describe_topics()
        if topic["topic"] in read or topic_name(topic["topic"]).kind == "dead"
        for partition in topic["partitions"]
    ]
    begins_before = await begins_of(consumer, places)
    committed: dict[str, dict[Place, int]] = {}
    for service in consumed:
        commit_by_place = await commits(admin, group_of(service))
        committed[service] = _plain({place: each.offset for place, each in commit_by_place.items()})
    begins, ends = await span(consumer, places)
    unstarted = [
        service
        for service, topics in written.items()
        if not committed[service]
        and not has_run([], [end for place, end in ends.items() if place.topic in topics], [])
    ]
    return ConsistentCut(
        sources=sources,
        consumed=consumed,
        committed=committed,
        begins=_plain(begins),
        ends=_plain(ends),
        begun=_plain(begins_before),
        unstarted=frozenset(unstarted),
    )


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
