"""Whether every record that a drill wrote was consumed, and every poison record dead-lettered."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping

from app.chaos.instance import DrillError, Site
from app.config import Config
from app.kafka.admin import AIOKafkaAdminClient, admin_client
from app.kafka.groups import committed_offsets, group_of
from app.kafka.reader import TopicPartition, declared_places, read_to_end, reader, span
from app.operations.verification.auditor import listeners
from app.registry import consumers, wanted_topics
from app.wire import signing
from app.wire.records import UNREADABLE, Record, as_read, header
from app.wire.topics import topic_name

OPEN_SECONDS_MAX = 60.0
"""How long a transaction that was left open may hold readers up."""
CAUGHT_UP_SECONDS_MAX = 300.0
CHECK_SECONDS = 1.0
SHOWN_MAX = 5
RANGE = re.compile(r"offsets (\d+) to (\d+) of (\S+)")


class Written:
    """What a hostile producer has written, by where it lies."""

    def __init__(self) -> None:
        self.last: dict[TopicPartition, int] = {}
        """The highest offset of each partition."""
        self.poison: dict[str, set[str]] = {}
        """By topic: the origins of what must be dead-lettered."""
        self.aborted: set[str] = set()
        """What nobody may have read, as `topic/partition/offset`."""

    def add(self, record: Record, *, is_poison: bool, is_read: bool) -> None:
        """Add `record`, as it lies on its topic."""
        place = TopicPartition(record.topic, record.partition)
        self.last[place] = max(record.offset, self.last.get(place, -1))
        if not is_read:
            self.aborted.add(f"{record.topic}/{record.partition}/{record.offset}")
        elif is_poison:
            self.poison.setdefault(record.topic, set()).add(record.origin)


async def wait_until_consumed(site: Site, last: Mapping[TopicPartition, int]) -> None:
    """Wait until every service has consumed all there is, once no transaction hides `last`.

    Raises DrillError naming partitions that are not consumed.
    """
    consumed = listeners()
    async with admin_client(site.config) as admin, reader(site.config) as consumer:

        async def undecided() -> list[str]:
            _, stable = await span(consumer, list(last))
            return [f"{at.topic}/{at.partition}" for at, end in stable.items() if end <= last[at]]

        await _until_none(undecided, "open transactions hide", OPEN_SECONDS_MAX)
        names = sorted(frozenset().union(*consumed.values()))
        places = [at for name in names for at in declared_places(name, site.config)]
        _, ends = await span(consumer, places)

        async def behind() -> list[str]:
            lags: list[str] = []
            for service, topics in consumed.items():
                offsets = await committed_offsets(admin, group_of(service))
                lags += [
                    f"{at.topic}/{at.partition} {end - offsets.get(at, 0)} of {service}"
                    for at, end in ends.items()
                    if at.topic in topics and offsets.get(at, 0) < end
                ]
            return lags

        await _until_none(behind, "the lag is not 0", CAUGHT_UP_SECONDS_MAX)


async def _until_none(
    list_left: Callable[[], Awaitable[list[str]]], what: str, seconds: float
) -> None:
    limit = time.monotonic() + seconds
    while left := await list_left():
        if time.monotonic() > limit:
            raise DrillError(f"after {seconds:.0f} s, {what}: {_some(left)}")
        await asyncio.sleep(CHECK_SECONDS)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return ", ".join(names[:SHOWN_MAX]) + more


async def consumed_offsets(admin: AIOKafkaAdminClient, topic: str) -> dict[TopicPartition, int]:
    """Return the offset of each partition of `topic` before which its only reader needs none."""
    [service] = {agent.service for agent in consumers(topic)}
    offsets = await committed_offsets(admin, group_of(service))
    return {place: offset for place, offset in offsets.items() if place.topic == topic}


async def dead_letter_ends(config: Config) -> dict[TopicPartition, int]:
    """Return where the dead topics end now."""
    async with reader(config) as consumer:
        return (await span(consumer, _dead_places(config)))[1]


async def check_dead_letters(
    config: Config, starts: Mapping[TopicPartition, int], written: Written
) -> int:
    """Return how many dead letters lie behind `starts`.

    Raises DrillError unless every agent has dead-lettered all the poison `written` on what it
    reads, and nothing that was aborted.
    """
    dead_letters: list[Record] = []
    async with reader(config) as consumer:
        _, ends = await span(consumer, list(starts))
        async for each in read_to_end(consumer, starts, ends):
            record = as_read(each)
            if signing.is_authentic_dead_letter(record, config):
                dead_letters.append(record)
    dead_lettered = {
        (header(each, "x-dead-room"), origin) for each in dead_letters for origin in origins(each)
    }
    missing = [
        f"{origin} of {agent.name}"
        for topic, poison in written.poison.items()
        for agent in consumers(topic)
        for origin in sorted(poison)
        if (agent.name, origin) not in dead_lettered
    ]
    if missing:
        raise DrillError(f"no dead letter names {_some(missing)}")
    if wrong := sorted({origin for _, origin in dead_lettered} & written.aborted):
        raise DrillError(f"dead letters of what was aborted: {_some(wrong)}")
    return len(dead_letters)


def origins(dead_letter: Record) -> list[str]:
    """Return each `topic/partition/offset` that `dead_letter` names: a batch has more than one."""
    batch = RANGE.match(header(dead_letter, "x-dead-detail"))
    if header(dead_letter, "x-dead-cause") != UNREADABLE or batch is None:
        return [header(dead_letter, "x-dead-origin")]
    first, last, place = batch.groups()
    return [f"{place}/{offset}" for offset in range(int(first), int(last) + 1)]


def _dead_places(config: Config) -> list[TopicPartition]:
    names = [spec.name for spec in wanted_topics(config) if topic_name(spec.name).kind == "dead"]
    return [place for name in names for place in declared_places(name, config)]
