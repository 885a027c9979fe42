"""A scan finds what is there, once, and says what it read: whatever lies between."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.errors import InspectionError
from app.operations.search.query import Query, parse
from app.operations.search.scan import Done, Event, ScanRequest, scan
from app.operations.search.starts import Start, parse_cursor
from tests.support.consumer import FakeConsumer, FakeRecord, at, places


@st.composite
def topics(draw: st.DrawFn) -> tuple[dict[int, list[FakeRecord]], dict[int, int]]:
    """Draw partitions with gaps anywhere, at their beginnings and ends too."""
    logs: dict[int, list[FakeRecord]] = {}
    ends: dict[int, int] = {}
    for partition in range(draw(st.integers(1, 4))):
        offsets = sorted(draw(st.sets(st.integers(0, 30), max_size=15)))
        logs[partition] = [
            FakeRecord("t", partition, at, timestamp=draw(st.integers(1, 9))) for at in offsets
        ]
        last = offsets[-1] + 1 if offsets else draw(st.integers(0, 5))
        ends[partition] = last + draw(st.integers(0, 3))
    return logs, ends


dealt = st.lists(st.integers(0, 5), min_size=1, max_size=8)


def fake(topic: Any, sizes: list[int]) -> FakeConsumer:
    logs, ends = topic

    def forever() -> Any:
        while True:
            yield from sizes
            yield 3

    return FakeConsumer(logs, ends, forever())


async def events(
    consumer: FakeConsumer, topic: Any, request: ScanRequest, **more: Any
) -> list[Event]:
    return [event async for event in scan(consumer, places(topic), request, **more)]


@given(topics(), dealt, st.data())
async def test_a_planted_record_is_found_wherever_it_lies(topic, sizes, data):
    """And the coverage is what there is, all of it."""
    logs, ends = topic
    partition = data.draw(st.sampled_from(sorted(logs)))
    offset = data.draw(st.integers(0, max(ends[partition], 1)))
    others = [r for r in logs[partition] if r.offset != offset]
    planted = FakeRecord("t", partition, offset, key=b"planted")
    logs[partition] = sorted([*others, planted], key=lambda record: record.offset)
    ends[partition] = max(ends[partition], offset + 1)

    scan_events = await events(
        fake(topic, sizes), topic, ScanRequest(wanted=parse(["key:planted"]))
    )

    done = scan_events[-1]
    assert isinstance(done, Done)
    assert [(partition, offset)] == at(scan_events)
    assert ("end", sum(map(len, logs.values()))) == (done.why, done.scanned)
    assert {p: (end - 1, end) for p, end in ends.items()} == {
        c.partition: (c.last, c.end) for c in done.coverage
    }


@given(topics(), dealt, st.lists(st.integers(1, 6), min_size=1, max_size=5))
async def test_going_on_by_cursor_finds_every_record_once(topic, sizes, limits):
    """With any limits, in any order of dealing."""
    offsets: list[tuple[int, int]] = []
    scanned = 0
    request = ScanRequest(wanted=Query(), limit=limits[0])
    for turn in range(1_000):
        scan_events = await events(fake(topic, sizes), topic, request)
        done = scan_events[-1]
        offsets += at(scan_events)
        scanned += done.scanned
        if done.why == "end":
            break
        start = parse_cursor(done.cursor)
        request = ScanRequest(wanted=Query(), start=start, limit=limits[turn % len(limits)])

    expected = [(r.partition, r.offset) for log in topic[0].values() for r in log]
    assert sorted(expected) == sorted(offsets)
    assert len(expected) == scanned


@given(topics(), dealt, st.integers(1, 10))
async def test_since_misses_nothing_whatever_the_order_of_times(topic, sizes, since_ms):
    """Times of records need not grow with their offsets."""
    query = Query(since_ms=since_ms)
    scan_events = await events(fake(topic, sizes), topic, ScanRequest(wanted=query))

    expected = [
        (r.partition, r.offset) for log in topic[0].values() for r in log if r.timestamp >= since_ms
    ]
    assert sorted(expected) == sorted(at(scan_events))


@given(topics(), dealt, st.integers(1, 5))
async def test_what_comes_during_a_scan_is_left_to_the_next(topic, sizes, more):
    """The end is the end as it stood; the cursor begins with what came."""
    consumer = fake(topic, sizes)
    consumer.late = [
        FakeRecord("t", p, end + i) for p, end in topic[1].items() for i in range(more)
    ]
    before = {(r.partition, r.offset) for log in topic[0].values() for r in log}

    scan_events = await events(consumer, topic, ScanRequest(wanted=Query()))

    assert before == set(at(scan_events))
    assert {c.partition: c.end for c in scan_events[-1].coverage} == topic[1]
    assert topic[1] == parse_cursor(scan_events[-1].cursor).offsets


@given(topics(), dealt, st.integers(1, 5))
async def test_a_tail_drops_nothing_of_a_burst(topic, sizes, more):
    """From the end on, everything that comes."""
    consumer = fake(topic, sizes)
    consumer.late = [
        FakeRecord("t", p, end + i) for p, end in topic[1].items() for i in range(more)
    ]
    request = ScanRequest(
        wanted=Query(), start=Start(back=0), follow=True, limit=len(consumer.late)
    )

    scan_events = await events(consumer, topic, request)

    assert sorted((r.partition, r.offset) for r in consumer.late) == sorted(at(scan_events))


@given(topics(), dealt, st.integers(1, 20))
async def test_a_scan_that_is_stopped_says_how_far_it_was(topic, sizes, queries):
    """Cancelled or out of time: what lies before the cursor was seen, what lies behind was not."""
    left = iter(range(queries))
    scan_events = await events(
        fake(topic, sizes),
        topic,
        ScanRequest(wanted=Query()),
        stopped=lambda: next(left, None) is None,
    )

    following = parse_cursor(scan_events[-1].cursor).offsets
    before = {
        (r.partition, r.offset)
        for log in topic[0].values()
        for r in log
        if r.offset < following[r.partition]
    }
    assert scan_events[-1].why in {"cancelled", "end"}
    assert before == set(at(scan_events))


async def test_a_scan_out_of_time_says_so():
    """With the cursor to go on."""
    topic = ({0: [FakeRecord("t", 0, 0), FakeRecord("t", 0, 1)]}, {0: 2})
    ticks = iter(range(100))
    scan_events = await events(
        fake(topic, [1]), topic, ScanRequest(wanted=Query(), seconds=4), clock=lambda: next(ticks)
    )

    assert "time" == scan_events[-1].why
    assert len(at(scan_events)) == parse_cursor(scan_events[-1].cursor).offsets[0]


async def test_a_scan_to_which_nothing_comes_ends_with_an_error():
    """A partition without a leader is not a reason to wait for ever."""
    topic = ({0: [FakeRecord("t", 0, 0)]}, {0: 1})
    consumer = fake(topic, [1])
    consumer.pause(TopicPartition("t", 0))
    ticks = iter(range(0, 1_000, 5))

    with pytest.raises(InspectionError, match="go on at 0/0"):
        await events(consumer, topic, ScanRequest(wanted=Query()), clock=lambda: next(ticks))


async def test_what_fails_is_counted_and_of_what_is_found_what_is_no_event():
    """An expression that has no answer is an error; of what is not found nothing is said."""
    records = [
        FakeRecord("t", 0, 0, value=b'{"total_minor":1,"type":"payflow.order.placed.v1"}'),
        FakeRecord("t", 0, 1),
        FakeRecord("t", 0, 2, value=b"?"),
    ]
    topic = ({0: records}, {0: 3})
    scan_events = await events(
        fake(topic, [5]), topic, ScanRequest(wanted=parse([], "body.total_minor == 1"))
    )

    done = scan_events[-1]
    assert [(0, 0)] == at(scan_events)
    assert (3, 2, 1) == (done.scanned, done.errors, done.unreadable)
    assert done.error


@pytest.mark.parametrize("guess", ["text:ann", "text:zoe", "key:ann", "key:zoe"])
async def test_no_counter_shows_what_is_masked(guess):
    """A guess is answered alike, whether the text behind the mask holds it or not."""
    body = b'{"order_id":"o1","customer_id":"ann", and no more JSON'
    topic = ({0: [FakeRecord("t", 0, 0, value=body)]}, {0: 1})
    done = (await events(fake(topic, [5]), topic, ScanRequest(wanted=parse([guess]))))[-1]

    assert isinstance(done, Done)
    assert (1, 0, 0, 0) == (done.scanned, done.matched, done.unreadable, done.errors)


async def test_what_is_found_is_bounded_by_its_length():
    """And the next page begins behind it."""
    records = [FakeRecord("t", 0, at, value=b'"' + b"x" * 400 + b'"') for at in range(9)]
    topic = ({0: records}, {0: 9})
    scan_events = await events(
        fake(topic, [5]), topic, ScanRequest(wanted=Query(), bytes_max=1_000)
    )

    done = scan_events[-1]
    assert isinstance(done, Done)
    assert [(0, 0), (0, 1), (0, 2)] == at(scan_events)
    assert ("size", "0/3") == (done.why, done.cursor)
