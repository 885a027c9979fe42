"""JSON for people and programs says what msgspec says, whatever the value is."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.json_output import json_bytes, json_line, json_page

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab é\n\x7f"), inner)
)


class Answer(msgspec.Struct, tag="answer"):
    """As routes return one."""

    name: str
    rows: tuple[dict[str, Any], ...] = ()


@given(VALUES)
def test_every_value_is_as_msgspec_writes_it(value: Any) -> None:
    """Integers beyond 64 bits as well, which orjson alone refuses."""
    assert msgspec.json.decode(msgspec.json.encode(value)) == json.loads(json_bytes(value))
    assert json.loads(json_bytes(value)) == json.loads(json_page(value))


@pytest.mark.parametrize("value", [Answer(name="a"), [Answer(name="a", rows=({"n": 2**70},))]])
def test_structs_keep_their_tag_and_the_order_of_their_fields(value: Any) -> None:
    """Alone and in plain lists."""
    assert msgspec.json.encode(value) == json_bytes(value)
    assert msgspec.json.format(msgspec.json.encode(value), indent=2) == json_page(value)


def test_what_is_no_number_is_null() -> None:
    """JSON has no infinity; a page that cannot be read is worse."""
    assert b"[null,null]" == json_bytes([math.nan, math.inf])


def test_a_log_line_is_one_line_whatever_it_holds() -> None:
    """In the order of the names; what has no JSON is shown by its repr."""
    assert '{"a":1,"event":"x","who":"<class \'int\'>"}' == json_line(
        {"who": int, "event": "x", "a": 1}
    )
    for value in (2**70, "\ud800", {1: b"\xff"}):
        line = json_line({"event": "x", "value": value})
        assert "\n" not in line
        assert "x" == json.loads(line)["event"]
    assert 2**70 == json.loads(json_line({"value": 2**70}))["value"]
