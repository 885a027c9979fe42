"""What is true of messages to customers whatever is received, in whatever order."""

from collections import Counter
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import notification as example
from tests.support.workflow_runner import receive
from workflows.notification import process as notification
from workflows.notification.messages import RequestMessage
from workflows.order.saga_messages import Cause, OrderCompleted, OrderConfirmed, ReturnRefused
from workflows.payment.messages import PaymentPending
from workflows.shared.message import Message

MESSAGES: list[Message] = [
    example.PAID,
    example.CREATED,
    example.DELIVERED,
    *(example.cancelled(cause) for cause in get_args(Cause)),
    example.refunded("f0"),
    example.refunded("f1", "r1"),
    example.refunded("f2", "r2"),
    ReturnRefused(order_id="o1", return_id="r3", reason="x"),
    PaymentPending(transaction_id="o1", reason="x"),
    OrderConfirmed(order_id="o1"),
    OrderCompleted(order_id="o1"),
]

stories = st.lists(st.sampled_from(MESSAGES), max_size=25)


def messages_of(story: list[Message]) -> list[RequestMessage]:
    """Return every message that `story` makes."""
    state, messages = notification.INITIAL, []
    for event in story:
        state, emitted = receive(notification, state, event)
        messages += emitted
    return messages


@settings(max_examples=100)
@given(stories)
def test_asking_twice_changes_nothing(story: list[Message]) -> None:
    """A repetition sends nothing and is not remembered."""
    state = notification.INITIAL
    for event in story:
        state, _ = receive(notification, state, event)
        assert (state, ()) == receive(notification, state, event)


@settings(max_examples=100)
@given(stories)
def test_nothing_is_said_twice(story: list[Message]) -> None:
    """Each message goes out at most once, and ids differ where messages do."""
    times = Counter(message.notification_id for message in messages_of(story))

    assert set(times.values()) <= {1}


@settings(max_examples=100)
@given(st.permutations([example.PAID, example.CREATED, example.DELIVERED, *MESSAGES[-7:]]))
def test_the_order_of_arrival_changes_only_the_order_of_messages(story: list[Message]) -> None:
    """Every customer gets the same messages."""
    expected = {
        "o1/payment",
        "o1/shipped",
        "o1/delivered",
        "o1/refund/r1",
        "o1/refund/r2",
        "o1/return/r3",
    }

    assert expected == {message.notification_id for message in messages_of(story)}


@settings(max_examples=100)
@given(stories)
def test_who_paid_is_emitted(story: list[Message]) -> None:
    """From the payment on, every message names the customer."""
    state = notification.INITIAL
    for event in story:
        state, emitted = receive(notification, state, event)
        customers = {message.customer_id for message in emitted}
        assert customers <= {"c1" if state.customer_id else ""}
