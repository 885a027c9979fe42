"""What is searched: terms, their errors, and that nothing masked can be found."""

import json
from typing import Any, NamedTuple

import pytest

from app.operations.search import starts
from app.operations.search.expression import ExpressionFailed
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.query import TERMS_MAX, BadTerm, parse
from app.operations.search.record_view import view_of
from app.operations.search.starts import Start, cursor_of, parse_cursor, parse_start

pytest.importorskip("cel")


class FakeRecord(NamedTuple):
    """A record as aiokafka gives it."""

    value: bytes | None = b'{"order_id":"o1","country":"say \\"hi\\""}'
    key: bytes | None = b"o1"
    headers: tuple[tuple[str, bytes], ...] = (
        ("ce_type", b"payflow.order.placed.v1"),
        ("ce_correlationid", b"c1"),
        ("x-origin", b"first"),
        ("x-origin", b"second"),
    )
    topic: str = "orders"
    partition: int = 1
    offset: int = 7
    timestamp: int = 1_700_000_000_000


def matches(record: Any, *messages: str, cel: str = "") -> bool:
    query = parse(messages, cel)
    return query.may_hold(record) and query.holds(MaskedRecord(record))


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(["key:o1"], True, id="its key"),
        pytest.param(["key:o"], False, id="a key is meant whole"),
        pytest.param(["key:o*"], True, id="or by how it begins"),
        pytest.param(["type:payflow.order.*"], True, id="its type"),
        pytest.param(["corr:c1"], True, id="its correlation id"),
        pytest.param(["corr:c2"], False, id="another correlation id"),
        pytest.param(["header.x-origin:first"], True, id="a header that is there twice: the first"),
        pytest.param(["header.x-origin:second"], True, id="or the second of them"),
        pytest.param(["header.x-edited-from:first"], False, id="another header"),
        pytest.param(["order_id"], True, id="text"),
        pytest.param(['say "hi"'], True, id="text as it was before JSON escaped it"),
        pytest.param(['say \\"hi\\"'], True, id="text as it stands in JSON"),
        pytest.param(["text:key:o1"], False, id="text that looks like a term"),
        pytest.param(["since:2023-11-14T22:13:20Z"], True, id="from its very millisecond on"),
        pytest.param(["until:2023-11-14T22:13:20Z"], False, id="before its very millisecond"),
        pytest.param(["until:2023-11-14T23:13:20.001+01:00"], True, id="a time of another zone"),
        pytest.param(["key:o1", "type:x"], False, id="all terms have to hold"),
        pytest.param([], True, id="nothing asked, all wanted"),
    ],
)
def test_a_record_is_wanted(messages: list[str], expected: bool) -> None:
    """Every term has to hold."""
    actual = matches(FakeRecord(), *messages)

    assert expected == actual


@pytest.mark.parametrize(
    ("messages", "cel", "reason"),
    [
        pytest.param(["kye:o1"], "", "'kye:o1': there are key:", id="no such term"),
        pytest.param(["key.x:o1"], "", "'key.x:o1'", id="a term that takes no name"),
        pytest.param(["header:o1"], "", "'header:o1'", id="a header without a name"),
        pytest.param(["header.:o1"], "", "'header.:o1'", id="a header with an empty name"),
        pytest.param(["key:"], "", "'key:': nothing stands", id="nothing to look for"),
        pytest.param([""], "", "1 to 1000 characters", id="an empty term"),
        pytest.param(["a" * 1_001], "", "not 1001", id="a term too long"),
        pytest.param(["a"] * (TERMS_MAX + 1), "", "at most 20", id="too many terms"),
        pytest.param(["since:yesterday"], "", "'since:yesterday': no RFC 3339", id="no time"),
        pytest.param(["until:2026-01-01T00:00:00"], "", "no zone", id="a time without a zone"),
        pytest.param(["key:customer:17850"], "", "people are masked", id="a person"),
        pytest.param([], "key ==", "cel: Failed to parse", id="an expression that is none"),
        pytest.param([], "kye == 'o1'", "'kye'", id="an expression about nothing there is"),
        pytest.param([], "1" * 1_001, "1001 characters", id="an expression too long"),
        pytest.param([], "[1].map(x, x).map(x, x).map(x, x) == []", "more than 2", id="loops"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_by_name(
    messages: list[str], cel: str, reason: str
) -> None:
    """The error repeats the term, and says which argument it stood in."""
    with pytest.raises(BadTerm) as error:
        parse(messages, cel)

    assert reason in str(error.value)
    assert ("q" if messages else "cel") == error.value.field


@pytest.mark.parametrize(
    ("cel", "expected"),
    [
        pytest.param("key == 'o1' && partition == 1 && offset == 7", True, id="where it lies"),
        pytest.param("type.startsWith('payflow.order.')", True, id="its type"),
        pytest.param("headers['x-origin'] == 'second'", True, id="a header"),
        pytest.param("body.order_id == 'o2'", False, id="its body"),
        pytest.param("time_ms < 1700000000001", True, id="when"),
    ],
)
def test_an_expression_sees_the_record(cel: str, expected: bool) -> None:
    """Key, type, headers, body, partition, offset and time."""
    actual = matches(FakeRecord(), cel=cel)

    assert expected == actual


@pytest.mark.parametrize("cel", ["body.nothing == 1", "key", "1 / partition == 1 / 0"])
def test_an_expression_without_an_answer_fails_aloud(cel: str) -> None:
    """It is counted, not taken for no."""
    with pytest.raises(ExpressionFailed):
        matches(FakeRecord(), cel=cel)


HIDDEN = "ada-lovelace-17850"
HIDING = {
    "a field": json.dumps({"customer_id": HIDDEN}),
    "a field in the depth": json.dumps({"a": [{"b": {"email": HIDDEN}}]}),
    "a whole object": json.dumps({"customer": {"name": HIDDEN}}),
    "a field with an escaped name": '{"customer\\u005fid":"' + HIDDEN + '"}',
    "an entity": json.dumps({"entity": f"customer:{HIDDEN}", "kind": "customer"}),
    "an entity as a name": json.dumps({"counts": {f"customer:{HIDDEN}": 1}}),
    "broken JSON": '{"customer_id": "' + HIDDEN,
    "broken JSON, escaped": '{"customer\\u005fid": "' + HIDDEN,
    "broken JSON in JSON": '{"x": "{\\"phone\\":\\"' + HIDDEN,
    "two bytes a character": "".join(f"{each}\x00" for each in '{"Email":"' + HIDDEN),
    "JSON too deep": "[" * 2_000 + '{"phone":"' + HIDDEN + '"}' + "]" * 2_000,
}


@pytest.mark.parametrize("body", HIDING.values(), ids=HIDING)
def test_what_is_masked_is_neither_shown_nor_found(body: str) -> None:
    """By text, by a part of it, by CEL; wherever it stands."""
    entity = FakeRecord(
        value=body.encode(),
        key=f"customer:{HIDDEN}".encode(),
        headers=(("ce_subject", f"customer:{HIDDEN}".encode()), ("email", HIDDEN.encode())),
    )
    view = view_of(MaskedRecord(entity))

    assert HIDDEN not in str(view).replace("\x00", "")
    assert not matches(entity, HIDDEN)
    assert not matches(entity, "17850")
    assert not matches(entity, f"header.email:{HIDDEN}")
    assert not matches(entity, "header.email:ada*")
    assert not matches(entity, cel=f"key.contains('{HIDDEN}')")
    assert not matches(entity, cel=f"headers.exists(h, headers[h].contains('{HIDDEN}'))")
    if not MaskedRecord(entity).broken:
        assert not matches(entity, cel=f"body.exists(k, body[k] == '{HIDDEN}' || k == '{HIDDEN}')")


def test_what_the_first_check_skips_was_never_wanted() -> None:
    """The quick check of raw bytes says no only where the masked record says no."""
    bodies = [b'{"a":"\\u006eeedle"}', b'{"a":"needle"}', b"needle", b"n\x00eedle", b"ne\xffedle"]
    query = parse(["needle"])
    missed = [
        b
        for b in bodies
        if query.holds(MaskedRecord(FakeRecord(b))) and not query.may_hold(FakeRecord(b))
    ]

    assert [] == missed
    assert not query.may_hold(FakeRecord(b'{"a":"hay"}'))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", Start(), id="nothing said"),
        pytest.param("latest", Start(back=0), id="the end"),
        pytest.param("latest:20", Start(back=20), id="the newest"),
        pytest.param(
            "0/5,3/9", Start(offsets={0: 5, 3: 9}, only=frozenset({0, 3})), id="named offsets"
        ),
        pytest.param("2023-11-14T22:13:20Z", Start(at_ms=1_700_000_000_000), id="a time"),
    ],
)
def test_a_start_is_read(text: str, expected: Start) -> None:
    """By name, by number, by place, by time."""
    assert expected == parse_start(text)


@pytest.mark.parametrize(
    "text", ["0", "0/", "a/1", "0/1,", "-1/2", "0/" + "9" * 19, "٣/٤", "latest:x", "now", "2023"]
)
def test_a_start_or_cursor_of_no_use_is_refused(text: str) -> None:
    """In one line that repeats it; an absurd number as well."""
    with pytest.raises(BadTerm, match=r"."):
        parse_cursor(text)
    with pytest.raises(BadTerm):
        parse_start(text)


def test_a_cursor_says_what_it_reads() -> None:
    """There and back."""
    places = {starts.TopicPartition("t", 1): 4, starts.TopicPartition("t", 0): 9}

    assert "0/9,1/4" == cursor_of(places)
    assert {0: 9, 1: 4} == parse_cursor("0/9,1/4").offsets
