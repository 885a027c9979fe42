"""One record for people, its personal parts masked."""

import msgspec

from app.config import Config
from app.kafka.errors import InspectionError
from app.kafka.reader import TopicPartition, places_of, read_to_end, reader
from app.operations.search.masked_record import MaskedRecord
from app.wire.records import Consumed, UnreadableBatch

BODY_BYTES_SHOWN_MAX = 50_000
"""A longer body is cut, and shown as text."""
TEXT_CHARS_SHOWN_MAX = 2_000


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
    """Why it is no event of Payflow."""
    text: str = ""
    """The body as text where it is not JSON or too long; unmasked where bytes were asked for."""
    hexadecimal: str = ""
    """The raw bytes, when they were asked for."""


async def read_record(config: Config, topic: str, partition: int, offset: int) -> RecordView:
    """Return one record with its raw bytes; raises InspectionError when it is not there."""
    async with reader(config) as consumer:
        places = await places_of(config, topic)
        place = TopicPartition(topic, partition)
        ends = await consumer.end_offsets(places)
        if place not in places or not 0 <= offset < ends[place]:
            raise InspectionError(f"{topic} has no record {partition}/{offset}")
        async for record in read_to_end(consumer, {place: offset}, ends):
            if offset in _offsets(record):
                return view_of(MaskedRecord(record), whole=True)
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
    as_text = masked.broken or (len(value) > BODY_BYTES_SHOWN_MAX and not whole)
    text = masked.text[:TEXT_CHARS_SHOWN_MAX] if as_text else ""
    return RecordView(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at_ms=record.timestamp,
        key=masked.key,
        headers=masked.headers,
        type=masked.type,
        body=None if as_text else masked.body,
        error=masked.error,
        text=value.decode(errors="backslashreplace") if whole else text,
        hexadecimal=value.hex() if whole else "",
    )
