"""Dead letters: their status, which are meant, what is sent back. All pure."""

import pytest

from app.delivery.dead_letters import to_dead
from app.operations.dead_letters.dead_letter import (
    HISTORY_MAX,
    DeadLetter,
    edited,
    redrive_id,
    sent_back,
)
from app.operations.dead_letters.selection import Choice, blast_radius, select_open
from app.operations.dead_letters.status import DeadLetterFacts, RedriveAttempt, groups, states
from app.wire import records
from app.wire.records import Record, event_id, header
from tests.support.runtime import as_read

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


def dead_letter(
    offset: int = 0, key: bytes = b"o1", at_ms: int = 1_000, **headers: str
) -> DeadLetter:
    """Return a dead letter of the payment agent; a header can be replaced or added."""
    record = dict(HEADERS) | {
        name.replace("_", "-") if name.startswith("x_") else name: value.encode()
        for name, value in headers.items()
    }
    return DeadLetter(
        record=Record(
            topic="orders.payment.dead",
            partition=0,
            offset=offset,
            key=key,
            value=b"{}",
            headers=tuple(record.items()),
        ),
        at_ms=at_ms,
    )


def attempt(of: DeadLetter, offset: int = 5) -> RedriveAttempt:
    return RedriveAttempt(
        redrive_id=redrive_id(of), of=of.place, topic="payment.redrive", partition=1, offset=offset
    )


FIRST = dead_letter()
BACK = dead_letter(9, x_redrive_id=redrive_id(FIRST))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        pytest.param({}, "open", id="nobody has touched it"),
        pytest.param(
            {"discarded": {FIRST.place: "a test"}}, "discarded", id="an operator discarded it"
        ),
        pytest.param(
            {"attempts": {FIRST.place: attempt(FIRST)}}, "sent", id="it lies in the redrive topic"
        ),
        pytest.param(
            {
                "attempts": {FIRST.place: attempt(FIRST)},
                "through": {("payment.redrive", 1): 5},
            },
            "sent",
            id="the agent is just before it",
        ),
        pytest.param(
            {
                "attempts": {FIRST.place: attempt(FIRST)},
                "through": {("payment.redrive", 1): 6},
            },
            "handled",
            id="the agent is through with it",
        ),
        pytest.param(
            {
                "attempts": {FIRST.place: attempt(FIRST)},
                "through": {("payment.redrive", 1): 6},
                "parked": frozenset({redrive_id(FIRST)}),
            },
            "sent",
            id="it waits in a retry topic",
        ),
        pytest.param(
            {
                "dead_letters": (FIRST, BACK),
                "attempts": {FIRST.place: attempt(FIRST)},
                "through": {("payment.redrive", 1): 6},
            },
            "again",
            id="it has come back as another dead letter",
        ),
        pytest.param(
            {"attempts": {FIRST.place: attempt(FIRST)}, "discarded": {FIRST.place: "late"}},
            "sent",
            id="what was sent cannot be dropped any more",
        ),
    ],
)
def test_a_dead_letter_stands_where_the_topics_say(changes, state):
    """Handled means through all checkpoints and not dead-lettered again."""
    facts = {"dead_letters": (FIRST,), "attempts": {}, "through": {}} | changes

    assert state == states(DeadLetterFacts(**facts))[FIRST.place]


def test_a_dead_letter_goes_back_to_its_agent_whole_and_says_where_it_comes_from():
    """Its bytes, key and own headers; nothing of its stay in the dead topic but the history."""
    sent = as_read(sent_back(FIRST, 3), 0)

    assert ("payment.redrive", b"o1", b"{}") == (sent.topic, sent.key, sent.value)
    assert ("e1", "orders/2/7") == (header(sent, "ce_id"), sent.origin)
    assert ("orders", FIRST.place) == (
        header(sent, records.REDRIVE_TOPIC),
        header(sent, records.REDRIVE_OF),
    )
    assert redrive_id(FIRST) == header(sent, records.REDRIVE_ID)
    names = {name for name, _ in sent.headers}
    assert not {"x-retry-attempt", "x-dead-cause", "x-dead-room"} & names


def test_a_dead_letter_that_fails_again_carries_its_history():
    """Each failure adds one line, the oldest first, and there are never too many."""
    last = FIRST
    for number in range(HISTORY_MAX + 5):
        again = to_dead(
            as_read(sent_back(last, 0), 0),
            service="payment",
            agent="payment",
            cause=f"cause {number}",
            detail="",
            stack="",
            now_ms=0,
            first_topic="orders",
        )
        record = as_read(again, number + 1)
        last = DeadLetter(record=record, at_ms=0)

    assert HISTORY_MAX == len(last.history)
    assert ("cause 23", "cause 24") == (last.history[-1].cause, last.cause)
    assert "orders.payment.dead" == last.record.topic
    assert redrive_id(FIRST) != last.redrive_id


def test_a_history_of_an_older_version_is_read():
    """The header names the agent as it did in the first version."""
    old = (
        '[{"place":"a/0/1","cause":"c","detail":"d","room":"payment","at":"2026-11-01T00:00:00Z"}]'
    )

    (failed,) = dead_letter(x_dead_history=old).history

    assert ("payment", "c") == (failed.agent, failed.cause)


def test_a_history_that_is_none_hides_no_dead_letter():
    """Anybody may write headers."""
    assert () == dead_letter(x_dead_history="{not json").history


def test_an_edited_dead_letter_is_another_event():
    """Its id follows from the old one and the new bytes: edited alike, it is the same again."""
    one, same, other = (edited(FIRST, 0, body, {}, "") for body in (b"[1]", b"[1]", b"[2]"))

    assert event_id(one) == event_id(same)
    assert 3 == len({event_id(one), event_id(other), "e1"})
    assert "e1" == header(as_read(one, 0), "x-edited-from")
    assert redrive_id(FIRST) != header(as_read(one, 0), records.REDRIVE_ID)


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
    """Every field narrows; the first dead letter differs from the second in each of them."""
    second = dead_letter(
        1,
        b"o2",
        2_000,
        ce_correlationid="o2",
        ce_type="payflow.payment.completed.v1",
        x_dead_cause="timeout",
        x_dead_stack="def",
    )

    assert (False, True) == (choice.meets(FIRST), choice.meets(second))


def test_only_open_dead_letters_are_touched_and_the_others_are_counted():
    """Sent, handled and dropped ones are left alone: a dead letter goes back once."""
    every = [dead_letter(at) for at in range(4)]
    statuses = dict(
        zip((each.place for each in every), ("open", "sent", "handled", "open"), strict=True)
    )

    selection, others = select_open(every, statuses, Choice(service="payment"))

    assert [every[0], every[3]] == selection
    assert {"sent": 1, "handled": 1} == dict(others)


def test_what_would_be_touched_is_said_before():
    """Agents, types, causes, keys, and which dead letter goes first."""
    radius = blast_radius([dead_letter(0), dead_letter(1), dead_letter(2, b"o2")], {"handled": 4})

    assert (3, {"handled": 4}, {"payment": 3}, 2) == (
        radius["dead_letters"],
        radius["left_alone"],
        radius["agents"],
        radius["keys"],
    )
    assert ("orders.payment.dead/0/0", {"o1": 2, "o2": 1}) == (
        radius["canary"],
        radius["busiest_keys"],
    )


def test_dead_letters_that_failed_alike_are_one_group():
    """The group with most open dead letters comes first."""
    lone = dead_letter(0, x_dead_cause="not_json", x_dead_stack="")
    many = [dead_letter(at, at_ms=at) for at in (1, 2, 3)]
    statuses = states(DeadLetterFacts(dead_letters=(lone, *many), attempts={}, through={}))

    failure_groups = groups([lone, *many], statuses)

    assert [("ZeroDivisionError", 3, 1, 3), ("not_json", 1, 1_000, 1_000)] == [
        (group.cause, group.dead_letters, group.first_ms, group.latest_ms)
        for group in failure_groups
    ]
    assert {"open": 3} == failure_groups[0].states
