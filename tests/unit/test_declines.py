"""Why a card was declined: for the customer in words, and no more than he may know."""

import pytest

from app.local.simulators.provider_cards import DECLINES
from tests.support.workflow_runner import after
from workflows.notification import process as notification
from workflows.order.saga_messages import OrderCancelled
from workflows.payment.declines import (
    EXPIRED,
    GENERIC,
    LATER,
    NO_MONEY,
    TOO_SMALL,
    WRONG,
    reason_for,
)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("insufficient_funds", NO_MONEY, id="no money"),
        pytest.param("expired_card", EXPIRED, id="expired"),
        pytest.param("incorrect_cvc", WRONG, id="a wrong code"),
        pytest.param("processing_error", LATER, id="the bank has a problem"),
        pytest.param("stolen_card", GENERIC, id="a thief learns nothing"),
        pytest.param("fraudulent", GENERIC, id="nor does a fraudster"),
        pytest.param("amount_too_small", TOO_SMALL, id="a card is not charged so little"),
        pytest.param("the total is not the sum", "", id="no decline of a bank"),
    ],
)
def test_a_customer_reads_why(code: str, reason: str) -> None:
    """In the message that the order is cancelled."""
    cancelled = OrderCancelled(order_id="o1", cause="payment_failed", detail=code)

    [message] = after(notification, cancelled)[1]

    assert reason == reason_for(code)
    why = f"your card was not charged: {reason}" if reason else "your card was not charged"
    assert f"Cancelled: {why}. Whatever you paid has been refunded." == message.text


def test_every_card_of_the_simulator_that_is_declined_has_words() -> None:
    """And no other cause says why a card was declined."""
    other = OrderCancelled(order_id="o1", cause="out_of_stock", detail="stolen_card")

    [message] = after(notification, other)[1]

    assert all(map(reason_for, DECLINES.values()))
    assert GENERIC not in message.text
