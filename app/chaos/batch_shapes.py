"""Batches in every shape that a broken or hostile producer may send, drawn from a seed. Pure.

A broker refuses most of them, and accepts some that no reader can decode. Brokers differ in which
ones they accept.
"""

from collections.abc import Callable, Iterator
from random import Random

from app.kafka.compression import GZIP, LZ4, SNAPPY, ZSTD
from app.kafka.raw_batches import (
    CODECS,
    BatchHeader,
    batch_bytes,
    part_bytes,
    record_bytes,
    sized,
    varint,
)
from app.kafka.record_batches import HEADER
from app.wire.byte_limits import CONTENT_BYTES_MAX

NAMES = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
RECORDS_MAX = 5
CONTROL, TRANSACTIONAL, UNKNOWN_FLAGS = 0x20, 0x10, 0x7F40
UNKNOWN_CODECS = (5, 6, 7)
LONG_BYTES = CONTENT_BYTES_MAX + 1
DAMAGED_BYTES_MAX = 8

Shape = Callable[[Random, int], bytes]
"""(random, at_ms) -> a batch."""


def records(random: Random, key: bytes | None = None) -> tuple[int, bytes]:
    """Return one to five records that are not messages of Payflow, and how many they are."""
    count = random.randint(1, RECORDS_MAX)
    parts = (
        record_bytes(delta, key or random.randbytes(8), random.randbytes(random.randint(0, 60)))
        for delta in range(count)
    )
    return count, b"".join(parts)


def _plain(random: Random, at_ms: int) -> bytes:
    count, content = records(random)
    return batch_bytes(BatchHeader(count=count, at_ms=at_ms), content)


def _with_bytes(change: Callable[[Random, bytes], bytes]) -> Shape:
    return lambda random, at_ms: change(random, _plain(random, at_ms))


def _with_record(body: Callable[[Random], bytes]) -> Shape:
    """Return a shape with one record whose bytes are `body`, behind their length."""

    def shape(random: Random, at_ms: int) -> bytes:
        return batch_bytes(BatchHeader(count=1, at_ms=at_ms), sized(body(random)))

    return shape


def _archive(codec: int, change: Callable[[Random, bytes], bytes]) -> Shape:
    """Return a shape whose content is compressed, and then changed."""

    def shape(random: Random, at_ms: int) -> bytes:
        count, content = records(random)
        header = BatchHeader(count=count, at_ms=at_ms, attributes=codec)
        return batch_bytes(header, change(random, CODECS[codec](content)))

    return shape


def _in_two_archives(codec: int) -> Shape:
    def shape(random: Random, at_ms: int) -> bytes:
        count, content = records(random)
        half = len(content) // 2
        both = CODECS[codec](content[:half]) + CODECS[codec](content[half:])
        return batch_bytes(BatchHeader(count=count, at_ms=at_ms, attributes=codec), both)

    return shape


def _long(codec: int) -> Shape:
    """Return a shape of a few kilobytes with one record, longer than any reader decompresses."""

    def shape(random: Random, at_ms: int) -> bytes:
        content = record_bytes(0, random.randbytes(8), bytes(LONG_BYTES))
        header = BatchHeader(count=1, at_ms=at_ms, attributes=codec)
        return batch_bytes(header, CODECS[codec](content))

    return shape


def unreadable_tombstone(random: Random, at_ms: int) -> bytes:
    """Return a batch that brokers take and no reader opens; opened, it would delete no row."""
    archive = CODECS[GZIP](record_bytes(0, random.randbytes(12), None))
    header = BatchHeader(count=1, at_ms=at_ms, attributes=GZIP)
    return batch_bytes(header, archive + b"more")


def _damaged(random: Random, body: bytes) -> bytes:
    copy = bytearray(body)
    for _ in range(random.randint(1, DAMAGED_BYTES_MAX)):
        copy[random.randrange(len(copy))] = random.randrange(256)
    return bytes(copy)


def _start(random: Random) -> bytes:
    """Return the attributes, time and offset of a record, and a key."""
    return b"\0" + varint(0) + varint(0) + part_bytes(random.randbytes(8))


def _damaged_records(random: Random, at_ms: int) -> bytes:
    count, content = records(random)
    return batch_bytes(BatchHeader(count=count, at_ms=at_ms), _damaged(random, content))


def _backwards(random: Random, at_ms: int) -> bytes:
    deltas = (2, 0, 1)
    content = b"".join(record_bytes(delta, random.randbytes(8), b"x") for delta in deltas)
    return batch_bytes(BatchHeader(count=len(deltas), at_ms=at_ms), content)


def _replaced(**changes: int) -> Shape:
    def shape(random: Random, at_ms: int) -> bytes:
        count, content = records(random)
        return batch_bytes(BatchHeader(**{"count": count, "at_ms": at_ms, **changes}), content)

    return shape


def _of_unknown_producer(random: Random, at_ms: int) -> bytes:
    count, content = records(random)
    header = BatchHeader(count=count, at_ms=at_ms, producer=random.randrange(1 << 40, 1 << 41))
    return batch_bytes(header, content)


def _far_ahead(random: Random, at_ms: int) -> bytes:
    """Return a batch of one record that claims to lie a million offsets behind its place."""
    content = record_bytes(1_000_000, random.randbytes(8), b"x")
    return batch_bytes(BatchHeader(count=1, at_ms=at_ms), content)


def _of_headers() -> Iterator[tuple[str, Shape]]:
    yield "wrong checksum", _with_bytes(lambda _, body: body[:-1] + bytes([body[-1] ^ 1]))
    yield "cut off", _with_bytes(lambda random, body: body[: random.randrange(1, len(body))])
    yield "cut in its header", _with_bytes(lambda _, body: body[: HEADER.size // 2])
    yield "no bytes", lambda _random, _at_ms: b""
    yield "two batches", lambda random, at_ms: _plain(random, at_ms) + _plain(random, at_ms)
    for magic in (0, 1, 3, 127):
        yield f"magic {magic}", _replaced(magic=magic)
    for codec in UNKNOWN_CODECS:
        yield f"codec {codec}", _replaced(attributes=codec)
    yield "a marker", _replaced(attributes=CONTROL)
    yield "a marker of a transaction", _replaced(attributes=CONTROL | TRANSACTIONAL, producer=1)
    yield "of no transaction", _replaced(attributes=TRANSACTIONAL, producer=4_242)
    yield "of an unknown producer", _of_unknown_producer
    yield "flags of nobody", _replaced(attributes=UNKNOWN_FLAGS)
    yield "no records", _replaced(count=0, delta=0)
    yield "more records than it has", _replaced(count=1_000)
    yield "offsets without records", _replaced(delta=100)
    yield "negative offsets", _replaced(delta=-5)


def _of_records() -> Iterator[tuple[str, Shape]]:
    yield "before 1970", _replaced(at_ms=-(1 << 62))
    yield "in a thousand years", _replaced(at_ms=1 << 45)
    yield "offsets backwards", _backwards
    yield "an offset far ahead", _far_ahead
    yield "damaged records", _damaged_records
    yield (
        "a negative key",
        _with_record(lambda _: b"\0\0\0" + varint(-7) + part_bytes(b"v") + b"\0"),
    )
    yield (
        "a negative value",
        _with_record(lambda random: _start(random) + varint(-7) + b"\0"),
    )
    yield (
        "a negative header",
        _with_record(
            lambda random: (
                _start(random) + part_bytes(b"v") + varint(1) + part_bytes(b"h") + varint(-7)
            )
        ),
    )
    yield (
        "a header name that is not UTF-8",
        _with_record(
            lambda random: (
                _start(random) + part_bytes(b"v") + varint(1) + part_bytes(b"\xff\xfe") + varint(-1)
            )
        ),
    )
    yield (
        "a number in too many bytes",
        _with_record(lambda random: _start(random) + b"\x82\x80\x80\x00" + b"v" + b"\0"),
    )
    yield (
        "an unknown kind of record",
        _with_record(lambda random: b"\x7f" + _start(random)[1:] + b"\1\0"),
    )


def _of_archives() -> Iterator[tuple[str, Shape]]:
    for codec, name in NAMES.items():
        yield f"no {name} at all", _replaced(attributes=codec)
        yield f"{name} cut off", _archive(codec, lambda _, body: body[: len(body) // 2])
        yield f"{name} without its end", _archive(codec, lambda _, body: body[:-2])
        for extra in (1, 4, 9):
            yield (
                f"{name} with {extra} bytes behind it",
                _archive(codec, lambda random, body, extra=extra: body + random.randbytes(extra)),
            )
        yield f"{name} with zeros behind it", _archive(codec, lambda _, body: body + bytes(5))
        yield f"{name} damaged", _archive(codec, _damaged)
        yield f"two archives of {name}", _in_two_archives(codec)
        if codec != SNAPPY:
            yield f"long {name}", _long(codec)


def last_delta(body: bytes) -> int:
    """Return the last offset of the batch in `body`, counted from its first."""
    return int(HEADER.unpack_from(body)[6])


SHAPES: dict[str, Shape] = dict([*_of_headers(), *_of_records(), *_of_archives()])
"""Every shape by name."""
