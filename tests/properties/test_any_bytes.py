"""Readers of what comes from outside: whatever it is, they read it or say why not.

`make security` asks each of them 5,000 times.
"""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.operations.search.query import BadTerm, Query, parse
from app.registry import load_agents
from app.wire.codecs import decode
from app.wire.envelope import Envelope, Undecodable, from_headers
from workflows.shared.topic import message_type_of

NAMES = ["ce_id", "ce_type", "ce_source", "ce_time", "ce_correlationid", "ce_heardms", "baggage"]
TYPES = ["payflow.order.placed.v1", "payflow.payment.authorized.v1", "no.such.type"]
values = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z".encode()),
    st.integers().map(lambda number: str(number).encode()),
)
json_texts = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers().map(str), st.just("9" * 5_000)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(map(str, parts))}]"),
        inner.map(lambda part: f'{{"order_id":{part},"lines":{part}}}'),
    ),
    max_leaves=5,
)
terms = st.one_of(
    st.text(max_size=60),
    st.tuples(
        st.sampled_from(["since", "until", "key", "body", "amount", "header.a", "type"]),
        st.one_of(st.text(max_size=30), st.integers().map(str), st.datetimes().map(str)),
    ).map("=".join),
)


@pytest.fixture(scope="module", autouse=True)
def _declared() -> None:
    load_agents()


@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_an_envelope_is_read_or_refused(headers: dict[str, bytes]) -> None:
    """Whatever its headers hold."""
    whole = dict.fromkeys(NAMES, b"x") | {"ce_time": b"2026-01-01T00:00:00Z"} | headers
    for each in (headers, whole):
        with suppress(Undecodable):
            assert from_headers(each).id


@given(st.sampled_from(TYPES), st.one_of(st.binary(max_size=100), json_texts), st.binary())
def test_a_body_is_read_or_refused(name: str, body: bytes | str | None, key: bytes) -> None:
    """Whatever it holds, and under whatever key."""
    raw = body if isinstance(body, bytes) else str(body).encode()
    envelope = Envelope(id="i", type=name, source="s", time_ms=1, subject="o", correlation_id="c")
    with pytest.raises(Undecodable, match=r"^[a-z_]+: "):
        decode(raw, envelope, key + b"!")


@given(st.lists(terms, max_size=3))
def test_a_search_is_understood_or_refused(texts: list[str]) -> None:
    """With a text for whoever asked."""
    with suppress(BadTerm):
        assert isinstance(parse(texts), Query)


def test_the_types_above_are_declared() -> None:
    """All but the last."""
    assert [True, True, False] == [message_type_of(name) is not None for name in TYPES]
