"""Dead letters: where they stand, which are meant, what is sent back. All pure."""

import msgspec
import pytest

from app.operations.dead_letters.dead_letter import (
    HISTORY_MAX,
    Letter,
    edited,
    event_id,
    redrive_id,
    sent_back,
)
from app.operations.dead_letters.selection import Choice, blast_radius, chosen
from app.operations.dead_letters.status import Known, Sending, groups, states
from app.wire import records as record
from app.wire.records import Outgoing, Record, header

HEADERS = (
    ("ce_id", b"e1"),
    ("ce_type", b"payflow.order.placed.v1"),
    ("ce_correlationid", b"o1"),
    ("x-dead-service", b"payment"),
    ("x-dead-room", b"payment"),
    ("x-dead-cause", b"ZeroDivisionError"),
    ("x-dead-stack", b"abc"),
    ("x-dead-origin", b"orders/2/7"),
    ("x-retry-attempt", b"3"),
)


def letter(offset: int = 0, key: bytes = b"o1", at_ms: int = 1_000, **headers: str) -> Letter:
    """Return a letter of the payment room; a header can be replaced or added."""
    given = dict(HEADERS) | {
        name.replace("_", "-") if name.startswith("x_") else name: value.encode()
        for name, value in headers.items()
    }
    return Letter(
        given=Record(
            topic="orders.payment.dead",
            partition=0,
            offset=offset,
            key=key,
            value=b"{}",
            headers=tuple(given.items()),
        ),
        at_ms=at_ms,
    )


def sending(of: Letter, offset: int = 5) -> Sending:
    return Sending(
        redrive_id=redrive_id(of), of=of.place, topic="payment.redrive", partition=1, offset=offset
    )


def as_record(sent: Outgoing) -> Record:
    """Return `sent` as the room reads it."""
    return Record(
        topic=sent.topic,
        partition=0,
        offset=0,
        key=sent.key,
        value=sent.value,
        headers=tuple(sent.headers),
    )


FIRST = letter()
BACK = letter(9, x_redrive_id=redrive_id(FIRST))


@pytest.mark.parametrize(
    ("known", "state"),
    [
        pytest.param({}, "open", id="nobody has touched it"),
        pytest.param({"dropped": {FIRST.place: "a test"}}, "dropped", id="somebody let it go"),
        pytest.param(
            {"sendings": {FIRST.place: sending(FIRST)}}, "sent", id="it lies in the redrive topic"
        ),
        pytest.param(
            {
                "sendings": {FIRST.place: sending(FIRST)},
                "through": {("payment.redrive", 1): 5},
            },
            "sent",
            id="the room is just before it",
        ),
        pytest.param(
            {
                "sendings": {FIRST.place: sending(FIRST)},
                "through": {("payment.redrive", 1): 6},
            },
            "handled",
            id="the room is through with it",
        ),
        pytest.param(
            {
                "sendings": {FIRST.place: sending(FIRST)},
                "through": {("payment.redrive", 1): 6},
                "parked": frozenset({redrive_id(FIRST)}),
            },
            "sent",
            id="it waits in a retry topic",
        ),
        pytest.param(
            {
                "letters": (FIRST, BACK),
                "sendings": {FIRST.place: sending(FIRST)},
                "through": {("payment.redrive", 1): 6},
            },
            "again",
            id="it has come back as another letter",
        ),
        pytest.param(
            {"sendings": {FIRST.place: sending(FIRST)}, "dropped": {FIRST.place: "late"}},
            "sent",
            id="what was sent cannot be dropped any more",
        ),
    ],
)
def test_a_letter_stands_where_the_topics_say(known, state):
    """Handled means through all beats and not laid aside again."""
    facts = {"letters": (FIRST,), "sendings": {}, "through": {}} | known

    assert state == states(Known(**facts))[FIRST.place]


def test_a_letter_goes_back_to_its_room_whole_and_says_where_it_comes_from():
    """Its bytes, key and own headers; nothing of its stay in the dead topic but the history."""
    sent = as_record(sent_back(FIRST, 3))

    assert ("payment.redrive", b"o1", b"{}") == (sent.topic, sent.key, sent.value)
    assert ("e1", "orders/2/7") == (header(sent, "ce_id"), sent.origin)
    assert ("orders", FIRST.place) == (
        header(sent, record.REDRIVE_TOPIC),
        header(sent, record.REDRIVE_OF),
    )
    assert redrive_id(FIRST) == header(sent, record.REDRIVE_ID)
    names = {name for name, _ in sent.headers}
    assert not {"x-retry-attempt", "x-dead-cause", "x-dead-room"} & names


def test_a_letter_that_fails_again_carries_its_history():
    """Each failure adds one line, the oldest first, and there are never too many."""
    last = FIRST
    for number in range(HISTORY_MAX + 5):
        again = record.to_dead(
            as_record(sent_back(last, 0)),
            service="payment",
            room="payment",
            cause=f"cause {number}",
            detail="",
            stack="",
            now_ms=0,
            home="orders",
        )
        given = msgspec.structs.replace(as_record(again), offset=number + 1)
        last = Letter(given=given, at_ms=0)

    assert HISTORY_MAX == len(last.history)
    assert ("cause 23", "cause 24") == (last.history[-1].cause, last.cause)
    assert "orders.payment.dead" == last.given.topic
    assert redrive_id(FIRST) != last.redrive_id


def test_a_history_that_is_none_hides_no_letter():
    """Anybody may write headers."""
    assert () == letter(x_dead_history="{not json").history


def test_an_edited_letter_is_another_event():
    """Its id follows from the old one and the new bytes: edited alike, it is the same again."""
    one, same, other = (edited(FIRST, 0, body, {}) for body in (b"[1]", b"[1]", b"[2]"))

    assert event_id(one) == event_id(same)
    assert 3 == len({event_id(one), event_id(other), "e1"})
    assert "e1" == header(as_record(one), "x-edited-from")
    assert redrive_id(FIRST) != header(as_record(one), record.REDRIVE_ID)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(place="orders.payment.dead/0/1"),
        Choice(key="o2"),
        Choice(correlation_id="o2"),
        Choice(cause="timeout"),
        Choice(stack="def"),
        Choice(type="payflow.payment.completed.v1"),
        Choice(since_ms=2_000),
        Choice(since_ms=1_500, until_ms=2_001),
        Choice(service="payment", topic="orders", key="o2"),
    ],
    ids=lambda choice: choice.text(),
)
def test_a_filter_finds_what_it_says(choice):
    """Every field narrows; the first letter differs from the second in each of them."""
    second = letter(
        1,
        b"o2",
        2_000,
        ce_correlationid="o2",
        ce_type="payflow.payment.completed.v1",
        x_dead_cause="timeout",
        x_dead_stack="def",
    )

    assert (False, True) == (choice.meets(FIRST), choice.meets(second))


def test_only_open_letters_are_touched_and_the_others_are_counted():
    """Sent, handled and dropped ones are left alone: a letter goes back once."""
    every = [letter(at) for at in range(4)]
    standing = dict(
        zip((each.place for each in every), ("open", "sent", "handled", "open"), strict=True)
    )

    found, others = chosen(every, standing, Choice(service="payment"))

    assert [every[0], every[3]] == found
    assert {"sent": 1, "handled": 1} == dict(others)


def test_what_would_be_touched_is_said_before():
    """Rooms, types, causes, keys, and which letter goes first."""
    said = blast_radius([letter(0), letter(1), letter(2, b"o2")], {"handled": 4})

    assert (3, {"handled": 4}, {"payment": 3}, 2) == (
        said["letters"],
        said["left_alone"],
        said["rooms"],
        said["keys"],
    )
    assert ("orders.payment.dead/0/0", {"o1": 2, "o2": 1}) == (
        said["canary"],
        said["busiest_keys"],
    )


def test_letters_that_failed_alike_are_one_group():
    """The group with most open letters comes first."""
    lone = letter(0, x_dead_cause="not_json", x_dead_stack="")
    many = [letter(at, at_ms=at) for at in (1, 2, 3)]
    standing = states(Known(letters=(lone, *many), sendings={}, through={}))

    found = groups([lone, *many], standing)

    assert [("ZeroDivisionError", 3, 1, 3), ("not_json", 1, 1_000, 1_000)] == [
        (group.cause, group.letters, group.first_ms, group.latest_ms) for group in found
    ]
    assert {"open": 3} == found[0].states
