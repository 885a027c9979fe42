"""What is true of an order as a whole whatever is heard, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.telling import hear
from tests.unit import test_order as example
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

WORDS = [
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

stories = st.lists(st.sampled_from(WORDS), max_size=25)
good_stories = st.permutations([*example.DONE, example.TWO, example.PRICEY])


def tell(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (memory, heard, told) after each word of `story`; every word is a second apart."""
    memory, beats = order.INITIAL, []
    for seconds, chosen in enumerate(story):
        word = chosen or DeadlineReached(key="o1", due_at_ms=order.due(memory) or 0)
        memory, told = hear(order, memory, (word, seconds))
        beats.append((memory, (word, seconds), told))
    return beats


@given(stories)
def test_hearing_it_twice_tells_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing and changes nothing."""
    for memory, heard, _ in tell(story):
        assert (memory, ()) == hear(order, memory, heard)


@given(stories)
def test_an_order_has_one_end(story: list[Any]) -> None:
    """Completed or cancelled, once; confirmed once and before it is completed."""
    kinds = [type(word) for _, _, words in tell(story) for word in words]

    assert kinds.count(OrderCompleted) + kinds.count(OrderCancelled) <= 1
    assert kinds.count(OrderConfirmed) <= 1
    if OrderCompleted in kinds:
        assert kinds.index(OrderConfirmed) < kinds.index(OrderCompleted)


@given(good_stories)
def test_a_good_order_completes_in_any_order_of_arrival(story: list[Any]) -> None:
    """All six facts lead to the good end, and every return is answered after it."""
    kinds = [type(word) for _, _, words in tell(story) for word in words]

    assert [OrderConfirmed, OrderCompleted] == kinds[:2]
    assert {ReturnAccepted} == set(kinds[2:3])
    assert 4 == len(kinds)


@given(stories)
def test_returns_never_exceed_what_was_bought(story: list[Any]) -> None:
    """In money and in units, and each is answered at most once."""
    told = [word for _, _, words in tell(story) for word in words]
    accepted = [word for word in told if isinstance(word, ReturnAccepted)]
    answered = [word.return_id for word in told if isinstance(word, ReturnAccepted | ReturnRefused)]

    assert sum(word.amount_minor for word in accepted) <= 1_000
    assert sum(line.quantity for word in accepted for line in word.lines) <= 3
    assert len(answered) == len(set(answered))


@given(stories)
def test_each_step_is_overdue_once_and_no_alarm_rings_twice(story: list[Any]) -> None:
    """Deadlines move on, and an order that has ended has none."""
    rung, told = 0, []
    for memory, (word, _), words in tell(story):
        told += [said.step for said in words if isinstance(said, StepOverdue)]
        rung = max(rung, word.due_at_ms) if isinstance(word, DeadlineReached) else rung
        assert (order.due(memory) or rung + 1) > rung
        if memory.completed_at_ms or memory.cancelled_at_ms:
            assert order.due(memory) is None
            assert order.overdue_at_ms(memory) is None
    assert len(told) == len(set(told))
