"""Replay: the order a row remembers, and two sets of rows side by side."""

import pytest

from app.delivery.row import PROCESSED_IDS_MAX, Context, Row, encode_row
from app.operations.replay.compare import compare
from app.operations.replay.event_order import Event, complete, received
from app.wire.records import Record
from tests.support.agents import TALLY, Tally


def event(event_id: str, topic: str, offset: int, at_ms: int = 0) -> Event:
    record = Record(
        topic=topic, partition=0, offset=offset, key=b"o1", value=b"",
        headers=(("ce_id", event_id.encode()),),
    )  # fmt: skip
    return Event(record=record, at_ms=at_ms, id=event_id)


def row(processed_ids: str, **applied_offsets: int) -> Row[Tally]:
    """Return a row that remembers the one-dead letter ids of `seen`, oldest first.

    After a `.` it remembers as much as it can: earlier ids may be forgotten.
    """
    full = (
        [f"later {number}" for number in range(PROCESSED_IDS_MAX)]
        if processed_ids.endswith(".")
        else []
    )
    processed_ids = processed_ids.removesuffix(".")
    return Row(
        state=Tally(),
        processed_ids=(*processed_ids, *full[len(processed_ids) :]),
        applied_offsets={f"{name}/0": offset for name, offset in applied_offsets.items()},
    )


@pytest.mark.parametrize(
    ("live", "events", "expected"),
    [
        pytest.param(
            row("bac", orders=1, payments=0),
            [("a", "orders", 0, 1), ("b", "payments", 0, 9), ("c", "orders", 1, 2)],
            "bac",
            id="topics are interleaved as the row remembers, not by time",
        ),
        pytest.param(
            row("c", orders=1, payments=0),
            [("a", "orders", 0, 5), ("b", "payments", 0, 1), ("c", "orders", 1, 9)],
            "bac",
            id="what it has forgotten comes before, by time",
        ),
        pytest.param(
            row("a", orders=0),
            [("a", "orders", 0, 1), ("b", "orders", 1, 2)],
            "a",
            id="what it has not received is left out",
        ),
        pytest.param(
            row("ab.", orders=2),
            [("a", "orders", 0, 1), ("a", "orders", 1, 2), ("b", "orders", 2, 3)],
            "aab",
            id="of two places of the first remembered, either may be dropped",
        ),
        pytest.param(
            row("ab", orders=2),
            [("a", "orders", 0, 1), ("a", "orders", 1, 2), ("b", "orders", 2, 3)],
            "aba",
            id="a row that has forgotten nothing has received the first of two places",
        ),
        pytest.param(
            row("abc.", orders=3),
            [("a", "orders", 0, 1), ("b", "orders", 1, 2), ("b", "orders", 2, 3),
             ("c", "orders", 3, 4)],
            "abcb",
            id="a repetition that was dropped comes last, to be dropped again",
        ),
        pytest.param(
            row("cba.", orders=3),
            [("a", "orders", 0, 1), ("c", "orders", 1, 2), ("b", "orders", 2, 3),
             ("a", "orders", 3, 4)],
            "acba",
            id="a repetition of what was forgotten was received where it lies",
        ),
        pytest.param(
            row("ba", orders=0),
            [("a", "orders", 0, 1), ("b", "calls.test.retry-1s", 7, 2)],
            "ba",
            id="a retry topic has no applied offsets: the processed ids say it",
        ),
    ],
)  # fmt: skip
def test_events_are_received_in_the_order_the_row_remembers(live, events, expected):
    """Topics do not say how they were interleaved."""
    actual = received(live, [event(*each) for each in reversed(events)])

    assert expected == "".join(each.id for each in actual)


def test_a_row_is_complete_when_all_it_remembers_was_read():
    """A window or retention may have cut its beginning off."""
    read = [event("b", "orders", 1)]

    assert (True, False) == (complete(row("b"), read), complete(row("ab"), read))


def row_bytes(received_count: int, correlation_id: str = "o1") -> bytes:
    context = Context(correlation_id=correlation_id)
    return encode_row(Row(state=Tally(received=received_count), context=context))


def test_rows_are_equal_different_or_not_comparable():
    """A difference says which row, which part, and both sides."""
    live = {
        (0, b"a"): row_bytes(1),
        (0, b"b"): row_bytes(1),
        (0, b"c"): row_bytes(1),
        (1, b"d"): row_bytes(1),
    }
    replayed_rows = {
        (0, b"a"): row_bytes(1),
        (0, b"b"): row_bytes(2),
        (0, b"c"): row_bytes(9),
        (1, b"e"): row_bytes(1),
    }

    comparison = compare(TALLY, live, replayed_rows, {(0, b"c")})

    assert (1, 3, 1) == (comparison.equal, comparison.different, comparison.not_comparable)
    assert [("b", "state", {"received": 1}, {"received": 2})] == [
        (each.key, each.part, each.live, each.replayed)
        for each in comparison.differences
        if each.part == "state"
    ]
    assert {("d", "there", "none"), ("e", "none", "there")} == {
        (each.key, each.live, each.replayed)
        for each in comparison.differences
        if each.part == "row"
    }
