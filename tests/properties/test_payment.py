"""What is true of payments whatever is heard, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.telling import hear
from tests.unit import test_payment as example
from workflows.payment import process as payment
from workflows.payment.messages import PaymentCompleted, PaymentFailed, PaymentRefunded
from workflows.payment.provider_messages import RefundCharge
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

WORDS = [
    example.PLACED,
    example.SUCCEEDED,
    example.UNKNOWN,
    example.DECLINED,
    example.VOIDED,
    example.NOTIFIED,
    example.NOTIFIED_FAILED,
    example.CANCELLED,
    example.REJECTED,
    example.RETURN,
    example.RETURN_REST,
    example.BACK,
    example.BACK_UNKNOWN,
    example.RETURN_BACK,
    None,
]
"""None: whatever alarm is set rings."""

stories = st.lists(st.sampled_from(WORDS), max_size=25)


def tell(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (memory, heard, told) after each word of `story`; every word is a second apart."""
    memory, beats = payment.INITIAL, []
    for seconds, chosen in enumerate(story):
        word = chosen or DeadlineReached(key="o1", due_at_ms=payment.due(memory) or 0)
        memory, told = hear(payment, memory, (word, seconds))
        beats.append((memory, (word, seconds), told))
    return beats


@given(stories)
def test_hearing_it_twice_tells_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing."""
    for memory, heard, _ in tell(story):
        assert () == hear(payment, memory, heard)[1]


@given(stories)
def test_money_is_told_as_it_is_moved(story: list[Any]) -> None:
    """At most one completion, and never more asked back, or told back, than was charged."""
    told = [word for _, _, words in tell(story) for word in words]
    paid = sum(word.amount_minor for word in told if isinstance(word, PaymentCompleted))
    back = sum(word.amount_minor for word in told if isinstance(word, PaymentRefunded))
    asked = {word.refund_key: word.amount_minor for word in told if isinstance(word, RefundCharge)}

    assert paid in (0, 1_000)
    assert 0 <= back <= sum(asked.values()) <= paid
    assert sum(isinstance(word, PaymentFailed) for word in told) <= 1


@given(stories)
def test_a_closed_payment_wants_all_its_money_back(story: list[Any]) -> None:
    """Once nothing will be shipped, whatever was charged is given back or on its way."""
    for memory, _, _ in tell(story):
        if memory.closed and memory.completed_told:
            on_the_way = sum(refund.amount_minor for refund in memory.refunds.by_key.values())
            assert 1_000 == on_the_way


@given(stories)
def test_it_never_sleeps_while_something_is_open(story: list[Any]) -> None:
    """What is asked and not answered has an alarm, and one that rang is not set again."""
    rung = 0
    for memory, (word, _), _ in tell(story):
        open_charge = memory.charge.asked and not memory.charge.outcome
        refunds = memory.refunds.by_key.values()
        if open_charge or any(refund.status == "asked" for refund in refunds):
            assert payment.due(memory) is not None
        rung = max(rung, word.due_at_ms) if isinstance(word, DeadlineReached) else rung
        assert (payment.due(memory) or rung + 1) > rung
