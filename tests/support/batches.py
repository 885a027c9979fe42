"""Record batches as bytes: as producers write them, and as nobody should."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record._crc32c import crc as crc32c
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import TopicPartition

from app.kafka.batch_layout import LENGTH, LENGTH_AT, MAGIC_AT
from app.kafka.record_batches import HEADER, read_any_batch

ATTRIBUTES_AT, CRC_AT, DELTA_AT = 21, 17, 23
PLACE = TopicPartition("orders", 2)


def batch(
    base: int,
    values: Sequence[bytes | None],
    *,
    codec: int = 0,
    producer: int = -1,
    timestamp: int = 1,
) -> bytes:
    """Return a batch of one record for each of `values`, from offset `base`.

    Of a `producer`: a batch of its transaction.
    """
    in_transaction = int(producer >= 0)
    builder = _DefaultRecordBatchBuilderPy(2, codec, in_transaction, producer, 0, 0, 1 << 20)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp, b"key", value, [])
    body = bytearray(builder.build())
    body[0:8] = struct.pack(">q", base)
    return bytes(body)


def signed(body: bytes | bytearray) -> bytes:
    """Return `body` with the checksum that it should have."""
    batch = bytearray(body)
    batch[CRC_AT : CRC_AT + 4] = struct.pack(">I", crc32c(bytes(batch[ATTRIBUTES_AT:])))
    return bytes(batch)


def with_attributes(body: bytes, attributes: int) -> bytes:
    """Return `body` with other attributes: codec, transaction, control."""
    batch = bytearray(body)
    batch[ATTRIBUTES_AT : ATTRIBUTES_AT + 2] = struct.pack(">h", attributes)
    return signed(batch)


def with_magic(body: bytes, magic: int) -> bytes:
    """Return `body` in the name of another format."""
    batch = bytearray(body)
    batch[MAGIC_AT] = magic
    return bytes(batch)


def with_length(body: bytes, length: int) -> bytes:
    """Return `body`, which says that so many bytes follow its length."""
    batch = bytearray(body)
    LENGTH.pack_into(batch, LENGTH_AT, length)
    return bytes(batch)


def with_wrong_bytes(body: bytes) -> bytes:
    """Return `body` with a flipped bit in its last byte: its checksum is wrong."""
    return body[:-1] + bytes([body[-1] ^ 1])


def with_content(body: bytes, content: bytes) -> bytes:
    """Return the header of `body` before `content`, the checksum right."""
    batch = bytearray(body[: HEADER.size] + content)
    LENGTH.pack_into(batch, LENGTH_AT, len(batch) - 12)
    return signed(batch)


def marker(base: int, producer: int, *, commit: bool) -> bytes:
    """Return the batch by which a broker ends a transaction of `producer`."""
    builder = _DefaultRecordBatchBuilderPy(2, 0, 1, producer, 0, -1, 1 << 20)
    builder.append(0, 1, struct.pack(">hh", 0, int(commit)), struct.pack(">hi", 0, 0), [])
    body = bytearray(builder.build())
    body[0:8] = struct.pack(">q", base)
    return with_attributes(bytes(body), 0x30)


def message(
    offset: int, value: bytes, *, magic: int = 1, attributes: int = 0, length: int | None = None
) -> bytes:
    """Return a message as brokers kept them before 0.11; `attributes` hold the codec."""
    parts = struct.pack(">i", 3) + b"key" + struct.pack(">i", len(value)) + value
    time = struct.pack(">q", offset + 1_000) if magic else b""
    rest = struct.pack(">bb", magic, attributes) + time + parts
    rest = struct.pack(">I", zlib.crc32(rest)) + rest
    return struct.pack(">qi", offset, len(rest) if length is None else length) + rest


def read(
    body: bytes | None, position: int = 0, aborted: Sequence[tuple[int, int]] = ()
) -> tuple[list[Any], int]:
    """Return what a consumer that reads what is committed makes of an answer, and its position."""
    read_any_batch()
    batches, check_crcs = fetcher.MemoryRecords(body), True
    records: Any = fetcher.PartitionRecords(
        PLACE, batches, list(aborted), position, None, None, check_crcs, fetcher.READ_COMMITTED
    )
    return list(records), records.next_fetch_offset
