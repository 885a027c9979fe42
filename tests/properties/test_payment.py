"""What is true of payments whatever is received, in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.examples import payment as example
from tests.support.workflow_runner import receive
from workflows.payment import process as payment
from workflows.payment.messages import PaymentCompleted, PaymentFailed, PaymentRefunded
from workflows.payment.provider_messages import RefundCharge, RefundSucceeded
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

MESSAGES = [
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

stories = st.lists(st.sampled_from(MESSAGES), max_size=25)


def publish(story: list[Any]) -> list[tuple[Any, Any, tuple[Message, ...]]]:
    """Return (state, received, emitted) after each message of `story`.

    Every message is a second apart.
    """
    state, checkpoints = payment.INITIAL, []
    for seconds, choice in enumerate(story):
        message = choice or DeadlineReached(key="o1", due_at_ms=payment.due(state) or 0)
        if isinstance(message, RefundSucceeded) and message.refund_key in state.refunds.by_key:
            # The provider refunds what it was asked for; more or less is in test_short_refunds.
            due = state.refunds.by_key[message.refund_key].amount_minor
            message = replace(message, amount_minor=due)
        state, emitted = receive(payment, state, (message, seconds))
        checkpoints.append((state, (message, seconds), emitted))
    return checkpoints


@given(stories)
def test_receiving_it_twice_emits_nothing_more(story: list[Any]) -> None:
    """A repetition under another id owes nothing."""
    for state, received, _ in publish(story):
        assert () == receive(payment, state, received)[1]


@given(stories)
def test_money_is_emitted_as_it_is_moved(story: list[Any]) -> None:
    """At most one completion, and never more asked back, or emitted back, than was charged."""
    emitted = [message for _, _, messages in publish(story) for message in messages]
    paid = sum(message.amount_minor for message in emitted if isinstance(message, PaymentCompleted))
    back = sum(message.amount_minor for message in emitted if isinstance(message, PaymentRefunded))
    refund_minor_by_key = {
        message.refund_key: message.amount_minor
        for message in emitted
        if isinstance(message, RefundCharge)
    }

    assert paid in (0, 1_000)
    assert 0 <= back <= sum(refund_minor_by_key.values()) <= paid
    assert sum(isinstance(message, PaymentFailed) for message in emitted) <= 1


@given(stories)
def test_a_closed_payment_wants_all_its_money_back(story: list[Any]) -> None:
    """Once nothing will be shipped, whatever was charged is refunded or on its way."""
    for state, _, _ in publish(story):
        if state.closed and state.completed_emitted:
            on_the_way = sum(refund.amount_minor for refund in state.refunds.by_key.values())
            assert 1_000 == on_the_way


@given(stories)
def test_it_never_sleeps_while_something_is_open(story: list[Any]) -> None:
    """What is asked and not answered has an alarm, and one that rang is not set again."""
    rung = 0
    for state, (message, _), _ in publish(story):
        open_charge = state.charge.asked and not state.charge.outcome
        refunds = state.refunds.by_key.values()
        if open_charge or any(refund.status == "asked" for refund in refunds):
            assert payment.due(state) is not None
        rung = max(rung, message.due_at_ms) if isinstance(message, DeadlineReached) else rung
        assert (payment.due(state) or rung + 1) > rung
