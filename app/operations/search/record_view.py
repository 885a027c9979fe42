"""One record for people, its personal parts masked."""

from itertools import islice
from typing import cast

import msgspec
from msgspec.structs import replace

from app.config import Config
from app.kafka.errors import InspectionError
from app.kafka.reader import TopicPartition, places_of, read_to_end, reader
from app.operations.search.masked_record import MaskedRecord
from app.wire.records import Consumed, UnreadableBatch

BODY_BYTES_SHOWN_MAX = 50_000
"""A longer body is cut, and shown as text."""
TEXT_CHARS_SHOWN_MAX = 2_000
MEMBERS_SHOWN_MAX = 2_000
"""Of each list and each dict in a row of a page."""
PART_CHARS_SHOWN_MAX = 500
"""Of a key, of each header, and of the error."""
DEPTH_SHOWN_MAX = 40
"""A body of deeper lists is shown as text: JSON in lines indents each member by its depth."""


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """One record as people see it; `body` is its JSON if it is any, personal parts masked."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    key: str
    headers: dict[str, str]
    type: str
    body: object
    error: str = ""
    """Why it is not an event of Payflow."""
    text: str = ""
    """The body as text where it is not JSON or too long; unmasked where bytes were asked for."""
    hexadecimal: str = ""
    """The raw bytes, when they were asked for."""


async def read_record(
    config: Config, topic: str, partition: int, offset: int, *, whole: bool = False
) -> RecordView:
    """Return one record; with `whole` its raw bytes too. Raises InspectionError without one."""
    async with reader(config) as consumer:
        places = await places_of(config, topic)
        place = TopicPartition(topic, partition)
        ends = await consumer.end_offsets(places)
        if place not in places or not 0 <= offset < ends[place]:
            raise InspectionError(f"{topic} has no record {partition}/{offset}")
        async for record in read_to_end(consumer, {place: offset}, ends):
            if offset in _offsets(record):
                return view_of(MaskedRecord(record), whole=whole)
            break
    raise InspectionError(f"{topic} has no record {partition}/{offset} any more")


def _offsets(record: Consumed) -> range:
    """Return the offsets that `record` stands for."""
    batch = record.value
    first = batch.first if isinstance(batch, UnreadableBatch) else record.offset
    return range(first, record.offset + 1)


def view_of(masked: MaskedRecord, *, whole: bool = False) -> RecordView:
    """Return `masked` for people; with `whole` its bytes too, personal fields included."""
    record = masked.record
    value = record.value or b""
    long = not whole and (len(value) > BODY_BYTES_SHOWN_MAX or not is_flat(masked.body))
    as_text = masked.broken or long
    text = masked.text[:TEXT_CHARS_SHOWN_MAX] if as_text else ""
    return replace(
        view_without_body(masked),
        body=None if as_text else masked.body,
        error=shortened(masked.error),
        text=value.decode(errors="backslashreplace") if whole else text,
        hexadecimal=value.hex() if whole else "",
    )


def view_without_body(masked: MaskedRecord) -> RecordView:
    """Return `masked` for people, its body not decoded."""
    record = masked.record
    return RecordView(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at_ms=record.timestamp,
        key=shortened(masked.key),
        headers={name: shortened(text) for name, text in masked.headers.items()},
        type=shortened(masked.type),
        body=None,
    )


def shortened(text: str, most: int = PART_CHARS_SHOWN_MAX) -> str:
    """Return `text`, or as much of it as is shown."""
    return text if len(text) <= most else text[:most] + "…"


def shortened_deep(value: object) -> object:
    """Return `value` with its long texts, lists and dicts cut, each with how much was cut."""
    if isinstance(value, str):
        more = len(value) - TEXT_CHARS_SHOWN_MAX
        return f"{value[:TEXT_CHARS_SHOWN_MAX]}… (+{more:,} characters)" if more > 0 else value
    if isinstance(value, list | tuple):
        members = cast("list[object]", value)
        first_members = [shortened_deep(each) for each in members[:MEMBERS_SHOWN_MAX]]
        more = len(members) - MEMBERS_SHOWN_MAX
        return [*first_members, f"… (+{more:,} members)"] if more > 0 else first_members
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value)
        some = islice(pairs.items(), MEMBERS_SHOWN_MAX)
        begin = {shortened(str(name)): shortened_deep(each) for name, each in some}
        more = len(pairs) - MEMBERS_SHOWN_MAX
        return begin | ({"…": f"+{more:,} members"} if more > 0 else {})
    return value


def is_flat(body: object, depth: int = DEPTH_SHOWN_MAX) -> bool:
    """Return whether no member of `body` lies deeper than `depth`."""
    if isinstance(body, dict):
        members = list(cast("dict[str, object]", body).values())
    elif isinstance(body, list):
        members = cast("list[object]", body)
    else:
        return True
    return depth > 0 and all(is_flat(each, depth - 1) for each in members)


def bytes_shown(record: Consumed) -> int:
    """Return about how long the view of `record` is."""
    headers = sum(min(len(value or b""), PART_CHARS_SHOWN_MAX) for _, value in record.headers)
    body = min(len(record.value or b""), BODY_BYTES_SHOWN_MAX)
    return body + headers + min(len(record.key or b""), PART_CHARS_SHOWN_MAX)
