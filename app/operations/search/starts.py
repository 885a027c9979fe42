"""Where a scan begins, and the cursor with which the next one goes on.

A cursor is text such as `0/120,1/44`: of each partition that is read, the next offset.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from app.kafka.reader import AIOKafkaConsumer, TopicPartition
from app.operations.search.query import BadTerm, moment_ms

CURSOR_CHARS_MAX = 20_000
BACK_MAX = 1_000_000
_PLACES = re.compile(r"\d{1,6}/\d{1,18}(,\d{1,6}/\d{1,18})*", re.ASCII)
_BACK = re.compile(r"latest(?::(\d{1,7}))?", re.ASCII)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where to begin; without any field, at the earliest offset of every partition."""

    back: int | None = None
    """So many offsets before the end of each partition."""
    at_ms: int | None = None
    """With the first record that is not older."""
    offsets: dict[int, int] = {}
    """By partition; other partitions begin at the earliest."""
    only: frozenset[int] = frozenset()
    """Read only these partitions; empty: all of them."""
    field: str = "from"
    """The argument that it comes from, for errors."""


def parse_start(text: str) -> Start:
    """Return where `text` begins. Raises BadTerm.

    `earliest`, `latest`, `latest:20` (of each partition), `0/120,1/44` (partition/offset; no other
    partition is read), or an RFC 3339 time.
    """
    if text in {"", "earliest"}:
        return Start()
    if back := _BACK.fullmatch(text):
        count = int(back.group(1) or 0)
        if count > BACK_MAX:
            raise BadTerm(f"{text!r}: at most latest:{BACK_MAX}", "from")
        return Start(back=count)
    if len(text) <= CURSOR_CHARS_MAX and _PLACES.fullmatch(text):
        return _at(text, "from")
    if not text[:4].isdigit():
        forms = "earliest, latest, latest:N, PARTITION/OFFSET or an RFC 3339 time"
        raise BadTerm(f"{text[:80]!r}: say {forms}", "from")
    return Start(at_ms=moment_ms(text, text, "from"))


def parse_cursor(text: str) -> Start:
    """Return where the cursor `text` goes on. Raises BadTerm."""
    if len(text) > CURSOR_CHARS_MAX or not _PLACES.fullmatch(text):
        raise BadTerm(f"{text[:80]!r} is not a cursor, such as 0/120,1/44", "cursor")
    return _at(text, "cursor")


def cursor_of(following: Mapping[TopicPartition, int]) -> str:
    """Return the cursor that goes on at these offsets."""
    return ",".join(f"{place.partition}/{at}" for place, at in sorted(following.items()))


def _at(text: str, field: str) -> Start:
    pairs = (pair.split("/") for pair in text.split(","))
    offsets = {int(partition): int(offset) for partition, offset in pairs}
    return Start(offsets=offsets, only=frozenset(offsets), field=field)


def places_to_read(places: Sequence[TopicPartition], start: Start) -> list[TopicPartition]:
    """Return the partitions to read. Raises BadTerm for one that is not there."""
    partitions = {place.partition for place in places}
    for partition in sorted({*start.offsets, *start.only} - partitions):
        raise BadTerm(
            f"there is no partition {partition}; there are {len(partitions)}", start.field
        )
    return [place for place in places if not start.only or place.partition in start.only]


async def resolve(
    consumer: AIOKafkaConsumer,
    start: Start,
    begin: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Return the first offset to read in each partition: between its beginning and its end."""
    offset_by_place = dict(begin)
    if start.back is not None:
        offset_by_place = {place: end[place] - start.back for place in begin}
    elif start.at_ms is not None and begin:
        position_by_place = await consumer.offsets_for_times(dict.fromkeys(begin, start.at_ms))
        offset_by_place = {
            p: end[p] if position_by_place.get(p) is None else position_by_place[p].offset
            for p in begin
        }
    offsets = {p: start.offsets.get(p.partition, offset_by_place[p]) for p in begin}
    return {p: min(max(offsets[p], begin[p]), max(begin[p], end[p])) for p in begin}
