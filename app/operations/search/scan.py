"""Scans a topic from given offsets to its end at the start of the scan.

It always ends with the offsets that it read: a record that was not found did not exist, or lies
after the cursor. Offsets without a record (deleted, compacted, markers of transactions) are passed
over, not waited for.
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from app.kafka.errors import InspectionError
from app.kafka.positions import Reach
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, reached
from app.operations.search.expression import ExpressionFailed
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.query import Query
from app.operations.search.record_view import (
    RecordView,
    bytes_shown,
    view_of,
    view_without_body,
)
from app.operations.search.scan_events import Coverage, Done, Event, Found, ScanState, Why
from app.operations.search.starts import Start, cursor_of, places_to_read, resolve
from app.wire.records import Consumed

READ_MS = 250
BATCH_RECORDS_MAX = 500
"""Records read before other tasks of the process get a turn."""
PROGRESS_SECONDS = 0.5
STALL_SECONDS_MAX = 30.0


class ScanRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for, from where, and when to stop."""

    wanted: Query
    start: Start = Start()
    limit: int | None = None
    bytes_max: int | None = None
    """Stop when what was found is as long."""
    seconds: float | None = None
    bodies: bool = True
    """Show bodies, and say whether each is an event; else keys and headers alone."""
    follow: bool = False
    """Go on after the end, for ever."""


class RecordLimit(Protocol):
    """Ends this process where one record takes too long; `done` is then the answer of the scan."""

    def begin(self, done: Callable[[], Done]) -> None:
        """Begin to count: the next record is read now."""
        ...

    def end(self) -> None:
        """Count no more."""
        ...


class NoLimit:
    """Lets a record take as long as it takes: the scan of a terminal, which is a process itself."""

    def begin(self, done: Callable[[], Done]) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


NO_LIMIT = NoLimit()


def never() -> bool:
    """Return False: the scan is never stopped from outside."""
    return False


async def scan(  # noqa: PLR0913  what is read, what is wanted, and how it is ended
    consumer: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    request: ScanRequest,
    stopped: Callable[[], bool] = never,
    clock: Callable[[], float] = time.monotonic,
    limit: RecordLimit = NO_LIMIT,
) -> AsyncGenerator[Event]:
    """Yield what is found in `places`, progress, and at last Done.

    Raises BadTerm for a start that is not there, InspectionError when nothing comes any more.
    """
    section = await _begin(consumer, places, request, clock, limit)
    emitted_s = clock()
    while (why := section.over(stopped)) is None:
        batch = await consumer.getmany(timeout_ms=READ_MS, max_records=BATCH_RECORDS_MAX)
        for record in (record for records in batch.values() for record in records):
            view = section.take(record)
            if view is not None:
                yield Found(record=view)
                if section.full:
                    break
        else:
            await section.pass_gaps(consumer, batch)
        if clock() - emitted_s >= PROGRESS_SECONDS:
            emitted_s = clock()
            yield section.state()
    yield section.done(why)


class _Section:
    """A running scan."""

    def __init__(  # noqa: PLR0913  as of `scan`
        self,
        request: ScanRequest,
        begin: dict[TopicPartition, int],
        end: dict[TopicPartition, int],
        first: dict[TopicPartition, int],
        clock: Callable[[], float],
        limit: RecordLimit,
    ) -> None:
        self._asked, self._clock, self._limit = request, clock, limit
        self._begin, self._end, self._first = begin, end, first
        self._next = dict(first)
        self._open = {p for p in first if request.follow or first[p] < end[p]}
        self.places = sorted(self._open)
        self._began_s = self._moved_s = clock()
        self._scanned = self._matched = self._bytes = self._unreadable = self._errors = 0
        self._bytes_shown = 0
        self._error = ""
        self._reach: Reach[TopicPartition] = Reach()

    @property
    def full(self) -> bool:
        """Return whether as much was found as is wanted."""
        return self._enough is not None

    @property
    def _enough(self) -> Why | None:
        request = self._asked
        if request.limit is not None and self._matched >= request.limit:
            return "limit"
        long = request.bytes_max is not None and self._bytes_shown >= request.bytes_max
        return "size" if long else None

    def over(self, stopped: Callable[[], bool]) -> Why | None:
        """Return why the scan ends; None when it goes on. Raises InspectionError when it stalls."""
        if not self._open:
            return "end"
        if (enough := self._enough) is not None:
            return enough
        if stopped():
            return "cancelled"
        now_s = self._clock()
        if self._asked.seconds is not None and now_s - self._began_s >= self._asked.seconds:
            return "time"
        if not self._asked.follow and now_s - self._moved_s >= STALL_SECONDS_MAX:
            at = cursor_of(self._next)
            raise InspectionError(f"nothing came for {STALL_SECONDS_MAX:.0f} s; go on at {at}")
        return None

    def take(self, record: Consumed) -> RecordView | None:
        """Read `record`; return it as it may be shown when it is wanted."""
        place = TopicPartition(record.topic, record.partition)
        if place not in self._open or record.offset < self._next[place]:
            return None
        if record.offset >= self._end[place] and not self._asked.follow:
            self._move(place, self._end[place])
            return None
        self._scanned += 1
        self._bytes += len(record.value or b"") + len(record.key or b"")
        # Before it is judged: whoever goes on after a record that takes too long goes on behind it.
        self._move(place, record.offset + 1)
        if not self._asked.wanted.may_hold(record):
            return None
        self._limit.begin(lambda: self.done("runaway"))
        try:
            return self._judge(MaskedRecord(record))
        finally:
            self._limit.end()

    def _judge(self, masked: MaskedRecord) -> RecordView | None:
        try:
            is_match = self._asked.wanted.holds(masked)
        except ExpressionFailed as error:
            self._errors += 1
            self._error = self._error or str(error)
            is_match = False
        if not is_match:
            return None
        view = view_of(masked) if self._asked.bodies else view_without_body(masked)
        self._matched += 1
        self._unreadable += bool(view.error)
        self._bytes_shown += bytes_shown(masked.record)
        return view

    async def pass_gaps(
        self, consumer: AIOKafkaConsumer, batch: Mapping[TopicPartition, Sequence[Consumed]]
    ) -> None:
        """Pass over offsets without a record, after all of `batch` was read."""
        through = await reached(consumer, sorted(self._open), self._reach, batch)
        for place, offset in through.items():
            self._move(place, offset)
        finished = [place for place in self.places if place not in self._open]
        if finished:
            consumer.pause(*finished)

    def _move(self, place: TopicPartition, following: int) -> None:
        if not self._asked.follow:
            following = min(following, self._end[place])
        if following <= self._next[place]:
            return
        self._next[place] = following
        self._moved_s = self._clock()
        if following >= self._end[place] and not self._asked.follow:
            self._open.discard(place)

    def state(self) -> ScanState:
        """Return the state now."""
        return ScanState(
            scanned=self._scanned,
            matched=self._matched,
            bytes=self._bytes,
            coverage=self._coverage(),
            cursor=cursor_of(self._next),
        )

    def done(self, why: Why) -> Done:
        """Return all that was read."""
        return Done(
            why=why,
            scanned=self._scanned,
            matched=self._matched,
            bytes=self._bytes,
            unreadable=self._unreadable,
            errors=self._errors,
            error=self._error,
            coverage=self._coverage(),
            elapsed_seconds=round(self._clock() - self._began_s, 3),
            cursor=cursor_of(self._next),
        )

    def _coverage(self) -> tuple[Coverage, ...]:
        return tuple(
            Coverage(
                partition=place.partition,
                begin=self._begin[place],
                first=self._first[place],
                last=self._next[place] - 1,
                end=self._end[place],
            )
            for place in sorted(self._first)
        )


async def _begin(
    consumer: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    request: ScanRequest,
    clock: Callable[[], float],
    limit: RecordLimit,
) -> _Section:
    """Return the section, its consumer set on the first offset of each partition."""
    scanned = places_to_read(places, request.start)
    begin = dict(await consumer.beginning_offsets(scanned)) if scanned else {}
    end = dict(await consumer.end_offsets(scanned)) if scanned else {}
    first = await resolve(consumer, request.start, begin, end)
    if request.wanted.since_ms and begin:
        since = await resolve(consumer, Start(at_ms=request.wanted.since_ms), begin, end)
        # Every record before this offset is older, even if times are out of order.
        first = {place: max(first[place], since[place]) for place in first}
    section = _Section(request, begin, end, first, clock, limit)
    # Nothing may be awaited between assignment and seek: the fetcher would choose an offset itself.
    consumer.assign(section.places)
    for place in section.places:
        consumer.seek(place, first[place])
    return section
