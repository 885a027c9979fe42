"""Batches of records as bytes, sent as they are: a drill writes what no client of Kafka writes.

Payflow itself produces through `app.kafka.producer`.
"""

import gzip
import struct
from collections.abc import Callable, Sequence

import cramjam
import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.codec import lz4_encode, snappy_encode
from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record._crc32c import crc as crc32c

from app.kafka.compression import GZIP, LZ4, SNAPPY, ZSTD
from app.kafka.record_batches import ATTRIBUTES_AT, HEADER, LENGTH, LENGTH_AT, MAGIC_MAX

CRC, CRC_AT = struct.Struct(">I"), 17
NO_PRODUCER = -1
ALL_REPLICAS = -1
REQUEST_MS = 20_000
CONTINUED, SEVEN_BITS = 0x80, 0x7F

Header = tuple[bytes, bytes | None]
CODECS: dict[int, Callable[[bytes], bytes]] = {
    GZIP: lambda content: gzip.compress(content, mtime=0),
    SNAPPY: snappy_encode,
    LZ4: lz4_encode,
    ZSTD: lambda content: bytes(cramjam.zstd.compress(content)),
}
"""How each codec compresses the content of a batch, as clients of Kafka do."""


class BatchHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the header of a batch says of its content."""

    count: int
    at_ms: int
    attributes: int = 0
    """The codec in its lowest three bits; 0x10: of a transaction; 0x20: a marker."""
    magic: int = MAGIC_MAX
    delta: int | None = None
    """The last offset, counted from the first; None: as many as `count` says."""
    producer: int = NO_PRODUCER


def varint(number: int) -> bytes:
    """Return `number` as Kafka writes it: zigzag, seven bits a byte."""
    rest, out = (number << 1) ^ (number >> 63), bytearray()
    rest &= (1 << 64) - 1
    while rest > SEVEN_BITS:
        out.append(rest & SEVEN_BITS | CONTINUED)
        rest >>= 7
    return bytes([*out, rest])


def part_bytes(part: bytes | None) -> bytes:
    """Return a key, a value or a header's value with its length before it."""
    return varint(-1) if part is None else varint(len(part)) + part


def record_bytes(
    delta: int, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()
) -> bytes:
    """Return one record, `delta` offsets behind the first of its batch."""
    header_bytes = b"".join(part_bytes(name) + part_bytes(content) for name, content in headers)
    parts = part_bytes(key) + part_bytes(value) + varint(len(headers)) + header_bytes
    return sized(b"\0" + varint(0) + varint(delta) + parts)


def sized(body: bytes) -> bytes:
    """Return the bytes of a record behind their length."""
    return varint(len(body)) + body


def batch_bytes(fields: BatchHeader, content: bytes) -> bytes:
    """Return the batch with `content` behind the header, its length and its checksum right."""
    delta = fields.count - 1 if fields.delta is None else fields.delta
    has_producer = fields.producer != NO_PRODUCER
    header = HEADER.pack(
        0, 0, NO_PRODUCER, fields.magic, 0, fields.attributes, delta, fields.at_ms, fields.at_ms,
        fields.producer, 0 if has_producer else -1, 0 if has_producer else -1, fields.count,
    )  # fmt: skip
    batch = bytearray(header + content)
    LENGTH.pack_into(batch, LENGTH_AT, len(batch) - LENGTH_AT - LENGTH.size)
    CRC.pack_into(batch, CRC_AT, crc32c(bytes(batch[ATTRIBUTES_AT:])))
    return bytes(batch)


async def send_bytes(producer: AIOKafkaProducer, place: TopicPartition, body: bytes) -> int:
    """Send `body` as the one batch of a request through the connection of `producer`.

    Returns its first offset. Raises KafkaError when the broker refuses it.
    """
    client = producer.client
    await producer.partitions_for(place.topic)
    leader = client.cluster.leader_for_partition(place)
    if leader is None or leader < 0:
        raise LeaderNotAvailableError(f"{place} has no leader")
    request = ProduceRequest(
        None, ALL_REPLICAS, REQUEST_MS, [(place.topic, [(place.partition, body)])]
    )
    answer = await client.send(leader, request)
    [(_, [(_, code, offset, *_)])] = answer.topics
    if code:
        raise for_code(code)(f"{place}: the broker refuses a batch")
    return int(offset)
