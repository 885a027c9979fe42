"""What anybody may produce: however long, deep or odd a record is, what is shown of it is short.

Each shape made some function of texts take seconds, or answer with megabytes. What is asserted is
how long a result is; that it comes at all is the test of the rest, and of the time it takes nothing
is asserted. A function that takes the square of these lengths would be noticed: by minutes.
"""

import json
from typing import Any

import pytest

from app.cli.topic_output import line_of
from app.console.pages.tables import pretty
from app.operations.dead_letters.editing import diff, editable
from app.operations.search.line_diff import LINES_SHOWN_MAX, differing
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.query import parse
from app.operations.search.record_view import BODY_BYTES_SHOWN_MAX, RecordView, view_of
from app.operations.search.row_history import changed
from app.wire.json_output import json_bytes
from tests.support.consumer import FakeRecord

VIEW_BYTES_MAX = 300_000
"""A view as JSON: its body, 200 headers of 500 characters each, all of them escaped."""
LINE_CHARS_MAX = 12_000

BODIES = {
    "backslashes": b"\\" * 1_000_000,
    "escapes": b"\\u0061" * 300_000,
    "halves of escapes": b"\\u00" * 300_000,
    "no text": b"\xff" * 3_000_000,
    "zeros": b"\0" * 3_000_000,
    "lists in lists": b"[" * 500_000 + b"]" * 500_000,
    "many deep lists": b"[" + b",".join([b"[" * 150 + b"]" * 150] * 150) + b"]",
    "a long number": b'{"n":' + b"9" * 1_000_000 + b"}",
    "many members": json.dumps(dict.fromkeys(map(str, range(20_000)), 1)).encode(),
    "quotes": json.dumps(['"' * 9_000] * 2).encode(),
    "people": b"customer:" * 300_000,
    "people in JSON": json.dumps(["customer:a"] * 3_000).encode(),
    "halves of a pair": b'{"a":"' + b"\\ud800" * 3_000 + b'"}',
    "personal names": b'{"customer_id' * 200_000,
}


def record(body: bytes | None, key: bytes = b"k", headers: Any = ()) -> FakeRecord:
    return FakeRecord("orders", 0, 1, key, body, headers)


def check(view: RecordView) -> None:
    """Assert that `view` is short, as JSON, on a page and in a terminal."""
    assert len(json_bytes(view)) <= VIEW_BYTES_MAX
    assert len(pretty(view.body)) <= BODY_BYTES_SHOWN_MAX
    assert len(line_of(view).plain) <= LINE_CHARS_MAX


@pytest.mark.parametrize("body", [pytest.param(each, id=name) for name, each in BODIES.items()])
def test_a_hostile_body_is_shown_in_short(body: bytes):
    """Searched, masked, as JSON, on a page, for editing, and compared."""
    masked = MaskedRecord(record(body))
    parse(["text:nothing like it"]).holds(masked)
    edited = body[: len(body) // 2]

    check(view_of(masked))
    assert len(masked.text) <= VIEW_BYTES_MAX
    assert len(diff(body, edited, "")) <= LINES_SHOWN_MAX + 1
    assert len(editable(body, "")) <= 10 * len(body)


@pytest.mark.parametrize("part", [b"\xff", b"a", b"\\", b"customer:"])
def test_hostile_keys_and_headers_are_shown_in_short(part: bytes):
    """However many headers there are, and whatever their names."""
    long = part * (900_000 // len(part))
    headers = (
        (part.decode(errors="replace") * 10_000, long),
        *((f"h{at}", b"x" * 9_000) for at in range(9_000)),
    )
    masked = MaskedRecord(record(b"{}", long, headers))
    parse(["key:k*", "header.h1:x"]).holds(masked)

    check(view_of(masked))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            [{"a": at % 7} for at in range(9_000)],
            [{"a": at % 5} for at in range(9_000)],
            id="alike",
        ),
        pytest.param(list(range(50_000)), list(range(50_000, 0, -1)), id="reversed"),
        pytest.param(["x" * 300_000], ["y" * 300_000], id="long lines"),
        pytest.param(json.loads(BODIES["many deep lists"]), None, id="deep"),
        pytest.param([0] * 400_000, [1] * 400_000, id="too long"),
    ],
)
def test_two_long_states_are_compared_in_short(one: Any, other: Any):
    """Each line with each would be the square of their number."""
    lines = changed(one, other)

    assert 1 <= len(lines) <= LINES_SHOWN_MAX + 1


def test_what_both_texts_begin_and_end_with_is_left_out():
    """So that one change in a long text is still shown line by line."""
    one = [str(at) for at in range(5_000)]
    other = [*one[:2_500], "new", *one[2_501:]]

    assert ["-2500", "+new"] == differing(one, other)
    assert [" 2499", "-2500", "+new", " 2501"] == differing(one, other, around=1)


def test_a_cut_key_is_found_by_none_but_its_beginning():
    """No term is as long as what is kept of a key."""
    key = b"a" * 100_000

    assert parse(["key:aaa*"]).holds(MaskedRecord(record(b"{}", key)))
    assert not parse([f"key:{'a' * 990}"]).holds(MaskedRecord(record(b"{}", key)))
