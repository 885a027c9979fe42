"""What is true of an order as a whole whatever is received, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import order as example
from tests.support.workflow_runner import receive
from workflows.order import process as order
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    OrderConfirmed,
    ReturnAccepted,
    ReturnRefused,
    StepOverdue,
)
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

MESSAGES = [
    *example.DONE,
    example.DETECTED,
    example.PENDING,
    example.DECLINED,
    example.UNPAID,
    example.STOCK_OUT,
    example.UNRESERVED,
    example.RELEASED,
    example.CANCELLED,
    example.REFUNDED,
    example.TWO,
    example.TWO_MORE,
    example.PRICEY,
    None,
]
"""None: whatever alarm is set rings."""

stories = st.lists(st.sampled_from(MESSAGES), max_size=25)
good_stories = st.permutations([*example.DONE, example.TWO, example.TWO_MORE])


def publish(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (state, received, emitted) after each message of `story`.

    Every message is a second apart.
    """
    state, checkpoints = order.INITIAL, []
    for seconds, choice in enumerate(story):
        message = choice or DeadlineReached(key="o1", due_at_ms=order.due(state) or 0)
        state, emitted = receive(order, state, (message, seconds))
        checkpoints.append((state, (message, seconds), emitted))
    return checkpoints


@given(stories)
def test_receiving_it_twice_emits_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing and changes nothing."""
    for state, received, _ in publish(story):
        assert (state, ()) == receive(order, state, received)


@given(stories)
def test_an_order_has_one_end(story: list[Any]) -> None:
    """Completed or cancelled, once; confirmed once and before it is completed."""
    kinds = [type(message) for _, _, messages in publish(story) for message in messages]

    assert kinds.count(OrderCompleted) + kinds.count(OrderCancelled) <= 1
    assert kinds.count(OrderConfirmed) <= 1
    if OrderCompleted in kinds:
        assert kinds.index(OrderConfirmed) < kinds.index(OrderCompleted)


@given(good_stories)
def test_a_good_order_completes_in_any_order_of_arrival(story: list[Any]) -> None:
    """All six facts lead to the good end, and every return is answered after it."""
    kinds = [type(message) for _, _, messages in publish(story) for message in messages]

    assert [OrderConfirmed, OrderCompleted] == kinds[:2]
    assert {ReturnAccepted} == set(kinds[2:3])
    assert 4 == len(kinds)


@given(stories)
def test_returns_never_exceed_what_was_bought(story: list[Any]) -> None:
    """In money and in units, and each is answered at most once."""
    emitted = [message for _, _, messages in publish(story) for message in messages]
    accepted = [message for message in emitted if isinstance(message, ReturnAccepted)]
    answered = [
        message.return_id
        for message in emitted
        if isinstance(message, ReturnAccepted | ReturnRefused)
    ]

    assert sum(message.amount_minor for message in accepted) <= 1_000
    assert sum(line.quantity for message in accepted for line in message.lines) <= 3
    assert len(answered) == len(set(answered))


@given(stories)
def test_each_step_is_overdue_once_and_no_alarm_rings_twice(story: list[Any]) -> None:
    """Deadlines move on, and an order that has ended has none."""
    rung, emitted = 0, []
    for state, (message, _), messages in publish(story):
        emitted += [alarm.step for alarm in messages if isinstance(alarm, StepOverdue)]
        rung = max(rung, message.due_at_ms) if isinstance(message, DeadlineReached) else rung
        assert (order.due(state) or rung + 1) > rung
        if state.completed_at_ms or state.cancelled_at_ms:
            assert order.due(state) is None
            assert order.overdue_at_ms(state) is None
    assert len(emitted) == len(set(emitted))
