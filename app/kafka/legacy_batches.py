"""Compressed messages of magic 0 and 1, as brokers before 0.11 have kept them: read within bounds.

aiokafka's reader unfolds them however long they become. Where a message within one says that it
ends where it begins, it reads that one for ever, and holds the interpreter's lock meanwhile.
"""

import struct
from collections.abc import Iterator

from aiokafka.errors import CorruptRecordException
from aiokafka.record._protocols import LegacyRecordBatchProtocol, LegacyRecordProtocol
from aiokafka.record.legacy_records import LegacyRecordBatch

from app.kafka.batch_layout import BASE_OFFSET, BATCH_BYTES_MIN, MAGIC_AT, end_of
from app.wire.byte_limits import BATCH_RECORDS_MAX

SIZE = struct.Struct(">i")
ATTRIBUTES_AT, TIMESTAMP_AT = 17, 18
KEY_AT = (18, 26)
"""Where the key of a message lies, by its magic: 1 has a timestamp before it."""
CODEC, LOG_APPEND_TIME = 0x07, 0x08


class LegacyMessages:
    """The messages within a compressed one."""

    is_control_batch = False

    def __init__(self, messages: list[LegacyRecordBatchProtocol], next_offset: int) -> None:
        self._messages = messages
        self.next_offset = next_offset

    def __iter__(self) -> Iterator[LegacyRecordProtocol]:
        for message in self._messages:
            yield from message


def codec_of(body: memoryview) -> int:
    """Return the codec of the message in `body`; 0 where it is not compressed."""
    return body[ATTRIBUTES_AT] & CODEC


def content_of(body: memoryview) -> memoryview:
    """Return the value of the compressed message in `body`. Raises CorruptRecordException."""
    at = KEY_AT[body[MAGIC_AT]]
    at += SIZE.size + max(SIZE.unpack_from(body, at)[0], 0)
    (size,) = SIZE.unpack_from(body, at)
    at += SIZE.size
    if size != len(body) - at:
        raise CorruptRecordException("its value does not end where the message ends")
    return body[at:]


def messages_within(body: memoryview, content: memoryview) -> LegacyMessages:
    """Return what the compressed message in `body` holds, which is `content` unfolded.

    Raises CorruptRecordException.
    """
    slices = _slices(content, body[MAGIC_AT])
    (offset,) = BASE_OFFSET.unpack_from(body)
    base = 0
    if body[MAGIC_AT]:
        # Those within count from the first; the message around them has the offset of the last.
        base = offset - BASE_OFFSET.unpack_from(slices[-1])[0]
    messages: list[LegacyRecordBatchProtocol] = []
    for each in slices:
        message = bytearray(each)
        BASE_OFFSET.pack_into(message, 0, base + BASE_OFFSET.unpack_from(each)[0])
        if body[MAGIC_AT] and body[ATTRIBUTES_AT] & LOG_APPEND_TIME:
            message[ATTRIBUTES_AT] |= LOG_APPEND_TIME
            message[TIMESTAMP_AT : KEY_AT[1]] = body[TIMESTAMP_AT : KEY_AT[1]]
        messages.append(LegacyRecordBatch(memoryview(message), body[MAGIC_AT]))
    return LegacyMessages(messages, offset + 1)


def _slices(content: memoryview, magic: int) -> list[memoryview]:
    """Return each message in `content`. Raises CorruptRecordException."""
    slices: list[memoryview] = []
    at = 0
    while at < len(content):
        rest = content[at:]
        end = end_of(rest)
        if not BATCH_BYTES_MIN <= end <= len(rest):
            raise CorruptRecordException("a message within it does not end where it says")
        if rest[MAGIC_AT] != magic or codec_of(rest):
            raise CorruptRecordException("a message within it is compressed, or of another magic")
        slices.append(rest[:end])
        at += end
        if len(slices) > BATCH_RECORDS_MAX:
            raise CorruptRecordException(f"it has more than {BATCH_RECORDS_MAX} messages")
    if not slices:
        raise CorruptRecordException("it holds no message")
    return slices
