"""Reads every batch of a partition, or sets it aside by its offsets: none stops what lies behind.

aiokafka 0.14 raises at a batch that it cannot read, and fetches the same one again for ever. Here
such a batch (a codec, a magic byte, a checksum, a length, a structure that nobody knows) becomes
one record, whose body is an `UnreadableBatch`: it is dead-lettered like any other poison, and its
offsets are committed behind that dead letter. Only what this module makes has that type, so no
producer can pretend it.

Every consumer of a process reads this way once `read_any_batch` was called, a step at a time
(`app.kafka.fetch_steps`).
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record._protocols import DefaultRecordProtocol, LegacyRecordProtocol
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.structs import ConsumerRecord

from app.kafka.batch_layout import (
    BASE_OFFSET,
    BATCH_BYTES_MIN,
    LENGTH,
    LENGTH_AT,
    LENGTH_ENDS,
    MAGIC_AT,
    end_of,
)
from app.kafka.compression import decompressed
from app.kafka.fetch_steps import read_in_steps
from app.kafka.header_names import AnyHeaderName
from app.kafka.legacy_batches import LegacyMessages, codec_of, content_of, messages_within
from app.kafka.record_headers import count_headers
from app.wire.byte_limits import (
    BATCH_HEADERS_MAX,
    BATCH_RECORDS_MAX,
    CONTENT_BYTES_MAX,
    RECORD_BYTES_MAX,
)
from app.wire.clock import now_ms
from app.wire.records import UnreadableBatch

MAGIC_MAX = 2
ATTRIBUTES, ATTRIBUTES_AT = struct.Struct(">h"), 21
COUNT, COUNT_AT = struct.Struct(">i"), 57
HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, epoch, magic, CRC, attributes, last offset delta, first and last timestamp,
producer id and epoch, base sequence, number of records: of magic 2."""
Stored = AnyHeaderName | LegacyRecordBatch
Batch = Stored | LegacyMessages
BatchRecord = DefaultRecordProtocol | LegacyRecordProtocol
Consumed = ConsumerRecord[bytes, bytes]
TIMESTAMP_MS_MAX = 253_402_300_799_999
"""The end of the year 9999: no `datetime` is later."""


def read_any_batch() -> None:
    """Let every consumer of this process read this way. Called again, it changes nothing."""
    fetcher.MemoryRecords = Batches
    fetcher.PartitionRecords = EveryRecord
    read_in_steps()


class Batches:
    """The batches of one partition in one answer of the broker."""

    def __init__(self, body: bytes | None) -> None:
        self._body = memoryview(body or b"")
        self._at = 0
        self._next = self._slice()

    def size_in_bytes(self) -> int:
        """Return the bytes of all batches."""
        return len(self._body)

    def has_next(self) -> bool:
        """Return whether a batch is left."""
        return self._next is not None

    def take(self) -> memoryview:
        """Return the bytes of the next batch, and go on behind it."""
        assert self._next is not None, "has_next says so"
        body, self._next = self._next, self._slice()
        return body

    def base_offset(self) -> int | None:
        """Return the first offset of the next batch; None where there is none."""
        body = self._next
        has_offset = body is not None and len(body) >= BASE_OFFSET.size
        return BASE_OFFSET.unpack_from(body)[0] if has_offset and body is not None else None

    def _slice(self) -> memoryview | None:
        rest = self._body[self._at :]
        if not rest:
            return None
        end = end_of(rest)
        if BATCH_BYTES_MIN <= end <= len(rest):
            self._at += end
            return rest[:end]
        # Where a batch ends that says it is shorter than any, nobody knows. One that is cut off
        # comes again, whole: but brokers never cut the first (KIP-74), so a first one is broken.
        first = self._at == 0
        self._at = len(self._body)
        return rest if first or end < BATCH_BYTES_MIN else None


def batch_of(body: memoryview) -> Stored:
    """Return the batch in `body` as aiokafka has it. Raises CorruptRecordException, and others."""
    magic = body[MAGIC_AT]
    if magic > MAGIC_MAX:
        raise CorruptRecordException(f"magic {magic} is newer than {MAGIC_MAX}")
    if magic < MAGIC_MAX:
        return LegacyRecordBatch(body, magic)
    if len(body) < HEADER.size:
        raise CorruptRecordException("it is shorter than its header")
    return AnyHeaderName(DefaultRecordBatch(body), body)


class EveryRecord(PartitionRecords):
    """The records of one partition in one answer of the broker, unreadable batches among them."""

    opened_bytes = 0
    """What was opened in this step, also of batches that could not be read."""

    def _unpack_records(self) -> Iterator[Consumed]:
        batches: Batches = self._records
        begin, body = self.next_fetch_offset, memoryview(b"")
        while batches.has_next():
            body = batches.take()
            self.opened_bytes += len(body)
            error: Exception | None = None
            records: list[BatchRecord] = []
            batch: Batch | None = None
            try:
                batch = self._open(body)
                # Those before an error stay in the list.
                records.extend(batch or ())
            except Exception as raised:  # noqa: BLE001  codecs and readers raise errors of their own
                error = raised
            if batch is not None and not _in_order(batch, records):
                records, error = (
                    [],
                    CorruptRecordException("its offsets are not those of its header"),
                )
            for record in records:
                yield from self._new(record)
            if error is not None:
                yield from self._set_aside(body, batches.base_offset(), error)
            elif batch is not None:
                # It stays with a batch also where compaction took its last record.
                self._pass(batch)
        if body and self.next_fetch_offset == begin:
            # The same would be fetched again, and again.
            error = CorruptRecordException("its offsets lie before the one that was fetched")
            yield self._set_aside_at(body, (begin, begin, 0), error)

    def _new(self, record: BatchRecord) -> Iterator[Consumed]:
        """Yield `record` as a consumer gives it, unless it lies before the position."""
        if record.offset >= self.next_fetch_offset:
            self.next_fetch_offset = record.offset + 1
            consumed = self._consumer_record(self._tp, record)
            # Producers may say -1, which is none, and any other 64 bits.
            if consumed.timestamp is None or not 0 <= consumed.timestamp <= TIMESTAMP_MS_MAX:
                consumed.timestamp = 0
            yield consumed

    def _open(self, body: memoryview) -> Batch | None:
        """Return the batch in `body` when it has records to read; None when it is passed over.

        Markers of transactions and what was aborted is passed over.
        """
        if not BATCH_BYTES_MIN <= LENGTH_ENDS + LENGTH.unpack_from(body, LENGTH_AT)[0] <= len(body):
            raise CorruptRecordException("its length is not that of a batch")
        batch = batch_of(body)
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("its checksum (CRC) is wrong")
        if self._isolation_level == READ_COMMITTED and isinstance(batch, AnyHeaderName):
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._ends_abort(batch):
                self._aborted_producers.discard(batch.producer_id)
            elif batch.is_transactional and batch.producer_id in self._aborted_producers:
                return self._pass(batch)
        return self._pass(batch) if batch.is_control_batch else self._plain(body, batch)

    def _plain(self, body: memoryview, batch: Stored) -> Batch:
        """Return `batch`, whose bytes are `body`, decompressed."""
        if not isinstance(batch, AnyHeaderName):
            codec = codec_of(body)
            unfolded = self._unfolded(content_of(body), codec) if codec else None
            return batch if unfolded is None else messages_within(body, unfolded)
        count = COUNT.unpack_from(body, COUNT_AT)[0]
        if count > BATCH_RECORDS_MAX:
            raise CorruptRecordException(f"it has {count} records, more than {BATCH_RECORDS_MAX}")
        content = body[HEADER.size :]
        if batch.compression_type:
            content = self._unfolded(content, batch.compression_type)
        # All headers of a shorter one cost little.
        if len(content) > RECORD_BYTES_MAX and count_headers(content, count) > BATCH_HEADERS_MAX:
            raise CorruptRecordException(f"it has more than {BATCH_HEADERS_MAX} headers")
        if not batch.compression_type:
            return batch
        header = bytearray(body[: HEADER.size])
        ATTRIBUTES.pack_into(header, ATTRIBUTES_AT, batch.attributes & ~batch.CODEC_MASK)
        return batch_of(memoryview(bytes(header) + content))

    def _unfolded(self, content: memoryview, codec: int) -> memoryview:
        before = self.opened_bytes
        # What cannot be unfolded may have cost as much as the longest that can.
        self.opened_bytes += CONTENT_BYTES_MAX
        unfolded = decompressed(bytes(content), codec)
        self.opened_bytes = before + len(unfolded)
        return memoryview(unfolded)

    def _pass(self, batch: Batch) -> None:
        self.next_fetch_offset = max(batch.next_offset, self.next_fetch_offset)

    @staticmethod
    def _ends_abort(batch: Batch) -> bool:
        # Compaction may leave a marker's batch without the marker.
        marker = next(iter(batch), None)
        return marker is not None and ControlRecord.parse(marker.key or b"") == ABORT_MARKER

    def _set_aside(
        self, body: memoryview, following: int | None, error: Exception
    ) -> Iterator[Consumed]:
        """Yield what is left of the batch in `body` as one record, and go on behind it."""
        extent = _extent(body, self.next_fetch_offset, following)
        # Else all its records could be read: what is wrong lies behind them.
        if extent[1] >= self.next_fetch_offset:
            yield self._set_aside_at(body, extent, error)

    def _set_aside_at(
        self, body: memoryview, extent: tuple[int, int, int], error: Exception
    ) -> Consumed:
        first, last, at_ms = extent
        self.next_fetch_offset = last + 1
        reason = f"{type(error).__name__}: {error}"
        return ConsumerRecord(
            topic=self._tp.topic,
            partition=self._tp.partition,
            offset=last,
            timestamp=at_ms,
            timestamp_type=0,
            key=None,
            value=UnreadableBatch(bytes(body), first=first, last=last, reason=reason),
            checksum=None,
            serialized_key_size=-1,
            serialized_value_size=len(body),
            headers=(),
        )


def _extent(body: memoryview, position: int, following: int | None) -> tuple[int, int, int]:
    """Return the first and last offset of what is unread of a batch, and its time (ms).

    `following` is where the batch behind it begins. Where nothing certain says how far it goes, it
    is taken for the one offset `position`: the broker says what comes next when it is asked again.
    """
    read_ms = now_ms()
    first, last, at_ms = position, position if following is None else following - 1, read_ms
    if len(body) >= HEADER.size and body[MAGIC_AT] == MAGIC_MAX:
        base, _, _, _, _, _, delta, _, latest_ms, _, _, _, count = HEADER.unpack_from(body)
        # A header that is damaged itself hardly says the same twice.
        if delta >= 0 and (delta + 1 == count or _is_whole(body)):
            first, last, at_ms = (
                max(base, position),
                base + delta,
                min(max(latest_ms, 0), read_ms),
            )
            last = last if following is None else min(last, following - 1)
    return min(first, max(last, position)), last, at_ms


def _in_order(batch: Batch, records: Sequence[BatchRecord]) -> bool:
    """Return whether each of `records` lies behind the one before it, and all within `batch`.

    Brokers check no offset of records that are not compressed. One that lies further on
    would have a reader pass over events of others, one that lies before another is passed over.
    """
    offsets = [*(record.offset for record in records), batch.next_offset]
    if isinstance(batch, AnyHeaderName):
        offsets = [batch.base_offset - 1, *offsets]
    return all(before < after for before, after in pairwise(offsets))


def _is_whole(body: memoryview) -> bool:
    try:
        return bool(DefaultRecordBatch(body).validate_crc())
    except Exception:  # noqa: BLE001  then it is not
        return False
