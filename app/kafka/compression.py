"""Decompresses batches of records, up to a length: a few bytes may claim to be gigabytes.

Codecs are those of Kafka: gzip, snappy, lz4 and zstd.
"""

import gzip
import io
from collections.abc import Callable
from typing import Any

import cramjam
from aiokafka.codec import snappy_decode
from aiokafka.errors import CorruptRecordException

CONTENT_BYTES_MAX = 64 << 20
"""Longest content of a batch: brokers take batches of a few megabytes, and producers make theirs
before they compress them."""
GROWTH = 8
FIRST_BYTES = 1 << 16
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


def decompressed(content: bytes, codec: int) -> bytes:
    """Return `content` as it was. Raises CorruptRecordException, and what codecs raise."""
    read = _READERS.get(codec)
    if read is None:
        raise CorruptRecordException(f"codec {codec} is none of Kafka's")
    return read(content)


def _gzip(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        return _check_length(file.read(CONTENT_BYTES_MAX + 1))


def _snappy(content: bytes) -> bytes:
    # Its ratio is bounded.
    return _check_length(snappy_decode(content))


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
        return bytes(memoryview(out)[: decompress_into(content, out)])

    return read


def _check_length(content: bytes) -> bytes:
    if len(content) > CONTENT_BYTES_MAX:
        raise CorruptRecordException(f"its content is longer than {CONTENT_BYTES_MAX} bytes")
    return content


_READERS: dict[int, Callable[[bytes], bytes]] = {
    GZIP: _gzip,
    SNAPPY: _snappy,
    LZ4: _within(cramjam.lz4.decompress_into),
    ZSTD: _within(cramjam.zstd.decompress_into),
}
