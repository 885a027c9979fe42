"""A signature holds for exactly what was emitted, and for nothing else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import Config
from app.delivery.dead_letters import to_dead, to_retry
from app.wire.records import Outgoing, Record
from app.wire.signing import SIGNATURE, is_authentic, is_authentic_dead_letter, signed, signed_again
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics

HEADERS = [("ce_id", b"e1"), ("ce_type", b"t"), ("ce_time", b"now"), ("traceparent", b"00-1")]
EMITTED = Outgoing(topic="payments", key=b"o1", value=b'{"a":1}', headers=HEADERS)
CONFIG = Config(signing_key="one")


def as_read(emitted: Outgoing) -> Record:
    return Record(
        topic=emitted.topic, partition=0, offset=0, key=emitted.key, value=emitted.value,
        headers=tuple(emitted.headers),
    )  # fmt: skip


SIGNED = as_read(signed(EMITTED, "one"))


@pytest.mark.parametrize(
    ("record", "topic", "config", "right"),
    [
        pytest.param(SIGNED, payment_topics.payments, CONFIG, True, id="what Payflow emitted"),
        pytest.param(as_read(EMITTED), payment_topics.payments, CONFIG, False, id="no signature"),
        pytest.param(
            as_read(EMITTED), order_topics.orders, CONFIG, True, id="no signature on an open topic"
        ),
        pytest.param(
            SIGNED, payment_topics.payments, Config(signing_key="two"), False, id="another key"
        ),
        pytest.param(
            SIGNED,
            payment_topics.payments,
            Config(signing_key="two", signing_key_before="one"),
            True,
            id="the key before",
        ),
        pytest.param(
            as_read(EMITTED),
            payment_topics.payments,
            Config(signing_key=""),
            True,
            id="no signatures",
        ),
        pytest.param(
            as_read(signed(EMITTED, "two")),
            order_topics.orders,
            CONFIG,
            False,
            id="a wrong signature, though open",
        ),
    ],
)
def test_a_record_is_authentic_when_its_signature_says_so(record, topic, config, right):
    """Missing or wrong: nobody of Payflow has emitted it."""
    assert right == is_authentic(record, topic, config)


@given(data=st.data())
def test_no_byte_can_be_changed(data):
    """Not in a header of the envelope, not in the key, not in the body; nor moved between them."""
    parts = [value for _, value in HEADERS] + [EMITTED.key or b"", EMITTED.value or b""]
    at = data.draw(st.integers(0, len(parts) - 1))
    changed = data.draw(st.binary(max_size=12).filter(lambda new: new != parts[at]))
    parts[at] = changed
    headers = [(name, part) for (name, _), part in zip(HEADERS, parts, strict=False)]
    sign = [pair for pair in SIGNED.headers if pair[0] == SIGNATURE]
    forged = msgspec.structs.replace(
        SIGNED, key=parts[-2], value=parts[-1], headers=(*headers, *sign)
    )

    assert not is_authentic(forged, payment_topics.payments, CONFIG)


def test_a_retry_and_a_redriven_dead_letter_keep_the_signature_they_came_with():
    """Passing through Payflow makes nothing genuine that was not."""
    forged = as_read(EMITTED)
    on_its_way = to_retry(forged, "notification", 1, 0, "later")
    back = msgspec.structs.replace(EMITTED, topic="ledger.redrive")

    assert not is_authentic(as_read(signed(on_its_way, "one")), payment_topics.payments, CONFIG)
    assert not is_authentic(as_read(signed(back, "one")), payment_topics.payments, CONFIG)
    retry = to_retry(SIGNED, "notification", 1, 0, "later")
    assert is_authentic(as_read(signed(retry, "one")), payment_topics.payments, CONFIG)


def test_a_dead_letter_is_signed_with_its_reasons():
    """Garbage in a dead topic was laid there by nobody of Payflow."""
    dead_letter = to_dead(
        as_read(EMITTED),
        service="ledger",
        agent="ledger",
        cause="forged",
        detail="",
        stack="",
        now_ms=0,
    )
    laid = as_read(signed(dead_letter, "one"))
    other = dict(laid.headers) | {"x-dead-cause": b"not_json"}
    changed = msgspec.structs.replace(laid, headers=tuple(other.items()))

    assert (True, False, False) == tuple(
        is_authentic_dead_letter(each, CONFIG) for each in (laid, as_read(dead_letter), changed)
    )


def test_an_edited_event_gets_a_signature_of_its_own():
    """The operator speaks for Payflow."""
    edited = msgspec.structs.replace(EMITTED, value=b"{}", headers=list(SIGNED.headers))

    assert is_authentic(as_read(signed_again(edited, "one")), payment_topics.payments, CONFIG)
