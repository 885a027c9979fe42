"""The history of a row: its versions in the changelog, as far back as that goes."""

import time
from collections import deque
from collections.abc import Callable

import msgspec

from app.config import Config
from app.kafka.errors import InspectionError
from app.kafka.positions import Reach
from app.kafka.reader import TopicPartition, places_of, reached, reader
from app.operations.search.line_diff import differing
from app.operations.search.record_view import is_flat

READ_MS = 250
SECONDS_MAX = 5.0
VERSIONS_MAX = 50
DIFF_BYTES_MAX = 500_000
"""A longer state is not laid out in lines."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One state of a row; `body` None: it was deleted."""

    offset: int
    at_ms: int
    body: bytes | None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The latest versions, oldest first, and the offsets read for them."""

    topic: str
    partition: int
    begin: int
    last: int
    """The last offset that was read; `begin` - 1: none."""
    end: int
    why: str
    """`end`, or `time`: there are younger versions that were not read."""
    versions: tuple[Version, ...]


async def history(
    config: Config,
    topic: str,
    partition: int,
    key: bytes,
    clock: Callable[[], float] = time.monotonic,
) -> History:
    """Return the versions of `key` in a changelog. Raises InspectionError, NoSuchTopic."""
    place = TopicPartition(topic, partition)
    if place not in await places_of(config, topic):
        raise InspectionError(f"{topic} has no partition {partition}")
    versions: deque[Version] = deque(maxlen=VERSIONS_MAX)
    limit = clock() + SECONDS_MAX
    async with reader(config) as consumer:
        begin = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        consumer.assign([place])
        consumer.seek(place, begin)
        at = begin
        reach: Reach[TopicPartition] = Reach()
        while at < end and clock() < limit:
            fetched = await consumer.getmany(timeout_ms=READ_MS)
            for records in fetched.values():
                versions.extend(
                    Version(offset=each.offset, at_ms=each.timestamp, body=each.value)
                    for each in records
                    if each.key == key and each.offset < end
                )
            at = min((await reached(consumer, [place], reach, fetched))[place], end)
    return History(
        topic=topic,
        partition=partition,
        begin=begin,
        last=at - 1,
        end=end,
        why="end" if at >= end else "time",
        versions=tuple(versions),
    )


def changed(before: object, after: object) -> list[str]:
    """Return how two states differ: lines that begin with `-` and `+`, up to a number of them.

    None is not a state: it is not known, or the row was deleted.
    """
    one, other = _lines(before), _lines(after)
    if one is None or other is None:
        return ["+ too long to be compared here"]
    return [line for line in differing(one, other) if not line.startswith("@@")]


def _lines(state: object) -> list[str] | None:
    """Return the JSON of `state` in lines; None where it is too long."""
    if state is None:
        return []
    body = msgspec.json.encode(state)
    if len(body) > DIFF_BYTES_MAX or not is_flat(state):
        return None
    return msgspec.json.format(body, indent=1).decode().splitlines()
