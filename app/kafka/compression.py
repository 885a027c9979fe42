"""Decompresses batches of records, up to a length: a few bytes may claim to be gigabytes.

Codecs are those of Kafka: gzip, snappy, lz4 and zstd. None writes more than the length allows
before it stops.
"""

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
from aiokafka.errors import CorruptRecordException

from app.wire.byte_limits import CONTENT_BYTES_MAX

XERIAL = b"\x82SNAPPY\x00"
"""How snappy content begins that a Java client has cut into blocks (xerial's snappy-java)."""
XERIAL_HEADER_BYTES = 16
BLOCK_BYTES = struct.Struct(">i")
GROWTH = 8
FIRST_BYTES = 1 << 16
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


def decompressed(content: bytes, codec: int) -> bytes:
    """Return `content` as it was. Raises CorruptRecordException, and what codecs raise."""
    read = _READERS.get(codec)
    if read is None:
        raise CorruptRecordException(f"codec {codec} is not one of Kafka's")
    return read(content)


def _gzip(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        read = file.read(CONTENT_BYTES_MAX + 1)
    _refuse_longer(len(read))
    return read


def _snappy(content: bytes) -> bytes:
    blocks = list(_blocks(content))
    # Each block says how long it is: cramjam would make room for whatever they say.
    _refuse_longer(sum(map(cramjam.snappy.decompress_raw_len, blocks)))
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _blocks(content: bytes) -> Iterator[memoryview]:
    body = memoryview(content)
    if not content.startswith(XERIAL):
        yield body
        return
    at = XERIAL_HEADER_BYTES
    while at < len(body):
        (size,) = BLOCK_BYTES.unpack_from(body, at)
        if not 0 < size <= len(body) - at - BLOCK_BYTES.size:
            raise CorruptRecordException(f"a block of snappy has {size} bytes")
        at += BLOCK_BYTES.size
        yield body[at : at + size]
        at += size


def _within(decompress_into: Callable[[Any, bytearray], int]) -> Callable[[bytes], bytes]:
    def read(content: bytes) -> bytes:
        size = max(FIRST_BYTES, GROWTH * len(content))
        while size < CONTENT_BYTES_MAX:
            out = bytearray(size)
            try:
                return bytes(memoryview(out)[: decompress_into(content, out)])
            except cramjam.DecompressionError:
                # Too short a buffer, or no archive: the last try says which.
                size *= GROWTH
        out = bytearray(CONTENT_BYTES_MAX)
        try:
            return bytes(memoryview(out)[: decompress_into(content, out)])
        except cramjam.DecompressionError as error:
            raise CorruptRecordException(
                f"its content is longer than {CONTENT_BYTES_MAX} bytes, or no archive: {error}"
            ) from error

    return read


def _refuse_longer(size: int) -> None:
    if size > CONTENT_BYTES_MAX:
        raise CorruptRecordException(f"its content is longer than {CONTENT_BYTES_MAX} bytes")


_READERS: dict[int, Callable[[bytes], bytes]] = {
    GZIP: _gzip,
    SNAPPY: _snappy,
    LZ4: _within(cramjam.lz4.decompress_into),
    ZSTD: _within(cramjam.zstd.decompress_into),
}
