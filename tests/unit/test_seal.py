"""A seal holds for exactly what was told, and for nothing else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Config
from app.wire import records as record
from app.wire import topics
from app.wire.records import Outgoing, Record
from app.wire.signing import SEAL, genuine, genuine_letter, resealed, sealed

HEADERS = [("ce_id", b"e1"), ("ce_type", b"t"), ("ce_time", b"now"), ("traceparent", b"00-1")]
TOLD = Outgoing(topic="payments", key=b"o1", value=b'{"a":1}', headers=HEADERS)
CONFIG = Config(seal_key="one")


def as_read(told: Outgoing) -> Record:
    return Record(
        topic=told.topic, partition=0, offset=0, key=told.key, value=told.value,
        headers=tuple(told.headers),
    )  # fmt: skip


SEALED = as_read(sealed(TOLD, "one"))


@pytest.mark.parametrize(
    ("given", "topic", "config", "right"),
    [
        pytest.param(SEALED, topics.payments, CONFIG, True, id="what the house told"),
        pytest.param(as_read(TOLD), topics.payments, CONFIG, False, id="no seal"),
        pytest.param(as_read(TOLD), topics.orders, CONFIG, True, id="no seal on an open topic"),
        pytest.param(SEALED, topics.payments, Config(seal_key="two"), False, id="another key"),
        pytest.param(
            SEALED,
            topics.payments,
            Config(seal_key="two", seal_key_before="one"),
            True,
            id="the key before",
        ),
        pytest.param(as_read(TOLD), topics.payments, Config(seal_key=""), True, id="no seals"),
        pytest.param(
            as_read(sealed(TOLD, "two")),
            topics.orders,
            CONFIG,
            False,
            id="a wrong seal, though open",
        ),
    ],
)
def test_a_record_is_genuine_when_its_seal_says_so(given, topic, config, right):
    """Missing or wrong: nobody of the house has told it."""
    assert right == genuine(given, topic, config)


@given(data=st.data())
def test_no_byte_can_be_changed(data):
    """Not in a header of the envelope, not in the key, not in the body; nor moved between them."""
    parts = [value for _, value in HEADERS] + [TOLD.key or b"", TOLD.value or b""]
    at = data.draw(st.integers(0, len(parts) - 1))
    changed = data.draw(st.binary(max_size=12).filter(lambda new: new != parts[at]))
    parts[at] = changed
    headers = [(name, part) for (name, _), part in zip(HEADERS, parts, strict=False)]
    seal = [pair for pair in SEALED.headers if pair[0] == SEAL]
    forged = msgspec.structs.replace(
        SEALED, key=parts[-2], value=parts[-1], headers=(*headers, *seal)
    )

    assert not genuine(forged, topics.payments, CONFIG)


def test_a_retry_and_a_redriven_letter_keep_the_seal_they_came_with():
    """Passing through the house makes nothing genuine that was not."""
    forged = as_read(TOLD)
    on_its_way = record.to_retry(forged, "notification", 1, 0, "later")
    back = msgspec.structs.replace(TOLD, topic="ledger.redrive")

    assert not genuine(as_read(sealed(on_its_way, "one")), topics.payments, CONFIG)
    assert not genuine(as_read(sealed(back, "one")), topics.payments, CONFIG)
    kept = record.to_retry(SEALED, "notification", 1, 0, "later")
    assert genuine(as_read(sealed(kept, "one")), topics.payments, CONFIG)


def test_a_letter_is_sealed_with_its_reasons():
    """Garbage in a dead topic was laid there by nobody of the house."""
    letter = record.to_dead(
        as_read(TOLD),
        service="ledger",
        room="ledger",
        cause="forged",
        detail="",
        stack="",
        now_ms=0,
    )
    laid = as_read(sealed(letter, "one"))
    other = dict(laid.headers) | {"x-dead-cause": b"not_json"}
    changed = msgspec.structs.replace(laid, headers=tuple(other.items()))

    assert (True, False, False) == tuple(
        genuine_letter(each, CONFIG) for each in (laid, as_read(letter), changed)
    )


def test_an_edited_event_gets_a_seal_of_its_own():
    """The operator speaks for the house."""
    edited = msgspec.structs.replace(TOLD, value=b"{}", headers=list(SEALED.headers))

    assert genuine(as_read(resealed(edited, "one")), topics.payments, CONFIG)
