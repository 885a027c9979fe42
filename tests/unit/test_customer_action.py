"""A charge that waits for its customer, or for the provider, who has not finished with it."""

import pytest
from msgspec.structs import replace

from tests.support.examples import payment as example
from tests.support.workflow_runner import (
    START_MS,
    Received,
    after,
    alarm,
    due_seconds,
)
from workflows.inventory.messages import InventoryReserved
from workflows.notification import process as notification
from workflows.order import process as order
from workflows.order.pending_steps import pending_steps, status_of, waits
from workflows.order.view import view
from workflows.payment import process as payment
from workflows.payment.action_messages import (
    ChargeActionRequired,
    ChargeProcessing,
    PaymentActionRequired,
    PaymentProcessing,
)
from workflows.payment.declines import NOT_CONFIRMED, NOT_PROCESSED, reason_for
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefundFailed,
)
from workflows.payment.provider_messages import (
    ChargeDeclined,
    ChargeVoided,
    InquireCharge,
    RefundCharge,
    VoidCharge,
)
from workflows.shared.message import Message

URL = "https://bank.example/confirm/pi"
HOUR_MS = 3_600_000
REQUIRED = ChargeActionRequired(transaction_id="o1", payment_id="pi", url=URL, wait_seconds=3_600)
PROCESSING = ChargeProcessing(transaction_id="o1", payment_id="pi", wait_seconds=86_400)
ACTION = PaymentActionRequired(
    transaction_id="o1",
    payment_id="pi",
    url=URL,
    deadline_at_ms=START_MS + HOUR_MS,
    amount_minor=1_000,
    currency="GBP",
    customer_id="c1",
)
WORKS = PaymentProcessing(
    transaction_id="o1", payment_id="pi", deadline_at_ms=START_MS + 24 * HOUR_MS
)
FAILED = ChargeDeclined(
    transaction_id="o1", attempt=1, reason="payment_intent_authentication_failure"
)
WAITS = [example.PLACED, REQUIRED]
POLLED = [*WAITS, alarm(300)]
LATE = [*WAITS, alarm(3_600)]


def again(message: ChargeActionRequired | ChargeProcessing, attempt: int) -> Message:
    """Return the same answer to a later question."""
    return replace(message, attempt=attempt)


def kinds(messages: tuple[Message, ...]) -> list[type[Message]]:
    return [type(each) for each in messages]


@pytest.mark.parametrize(
    ("story", "emitted", "due"),
    [
        pytest.param(WAITS, [PaymentActionRequired], 300, id="the customer has to act"),
        pytest.param([*WAITS, REQUIRED], [], 300, id="it is emitted once"),
        pytest.param(POLLED, [InquireCharge], 330, id="a lost webhook costs five minutes"),
        pytest.param([*POLLED, (again(REQUIRED, 1), 301)], [], 601, id="still to be confirmed"),
        pytest.param([*POLLED, (example.UNKNOWN, 301)], [], 303, id="no outage voids it"),
        pytest.param([*WAITS, example.NOTIFIED], [], 2, id="a webhook is a reason to ask"),
        pytest.param([*WAITS, example.NOTIFIED, alarm(2)], [InquireCharge], 32, id="and it does"),
        pytest.param([*POLLED, example.SUCCEEDED], [PaymentCompleted], None, id="confirmed"),
        pytest.param([*POLLED, FAILED], [PaymentFailed], None, id="not confirmed by the bank"),
        pytest.param(LATE, [VoidCharge], 3_630, id="the time is over"),
        pytest.param([*LATE, example.VOIDED], [PaymentFailed], None, id="and it is voided"),
        pytest.param(
            [*LATE, example.SUCCEEDED], [PaymentCompleted], None, id="confirmed at the last moment"
        ),
        pytest.param(
            [*LATE, example.VOIDED, example.NOTIFIED, alarm(3_602), example.SUCCEEDED],
            [PaymentCompleted, RefundCharge],
            None,
            id="confirmed after it was voided: all of it goes back",
        ),
        pytest.param([*WAITS, example.CANCELLED], [VoidCharge], 30, id="the order is cancelled"),
        pytest.param(
            [example.PLACED, example.CANCELLED, REQUIRED], [VoidCharge], 30, id="it was before"
        ),
        pytest.param(
            [example.PLACED, example.UNKNOWN, REQUIRED], [PaymentActionRequired], 300, id="unknown"
        ),
        pytest.param([example.PLACED, PROCESSING], [PaymentProcessing], 300, id="processing"),
        pytest.param(
            [*WAITS, alarm(300), again(PROCESSING, 1)], [PaymentProcessing], 600, id="confirmed: it"
        ),
        pytest.param(
            [*WAITS, alarm(300), again(PROCESSING, 1), REQUIRED], [], 600, id="an old answer"
        ),
        pytest.param(
            [example.PLACED, PROCESSING, alarm(86_400)], [VoidCharge], 86_430, id="for too long"
        ),
        pytest.param(
            [example.PLACED, PROCESSING, alarm(86_400), again(PROCESSING, 1)],
            [],
            86_700,
            id="it cannot be voided: it is asked again",
        ),
    ],
)
def test_a_charge_waits(
    story: list[Received], emitted: list[type[Message]], due: float | None
) -> None:
    """After this story the last message makes it emit this, and it wants to be woken then."""
    state, messages = after(payment, *story)

    assert emitted == kinds(messages)
    now_due = due_seconds(payment, state)
    assert due == (None if now_due is None else round(now_due)) or RefundCharge in emitted


def test_the_facts_say_where_and_until_when() -> None:
    """The deadline begins with the first answer, however often it is asked."""
    first = after(payment, *WAITS)[1]
    works = after(payment, example.PLACED, PROCESSING)[1]

    assert (ACTION,) == first
    assert (WORKS,) == works


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        pytest.param([*LATE, example.VOIDED], NOT_CONFIRMED, id="the customer did not act"),
        pytest.param(
            [example.PLACED, PROCESSING, alarm(86_400), ChargeVoided(transaction_id="o1")],
            NOT_PROCESSED,
            id="the provider did not finish",
        ),
        pytest.param([*POLLED, FAILED], FAILED.reason, id="the bank has refused it"),
        pytest.param([*WAITS, example.CANCELLED, example.VOIDED], "cancelled", id="by the order"),
    ],
)
def test_the_failure_says_why(story: list[Received], reason: str) -> None:
    """A code that has words for the customer, unless another cause has ended it."""
    (failed,) = after(payment, *story)[1]

    assert isinstance(failed, PaymentFailed)
    assert reason == failed.reason
    assert (reason == "cancelled") != bool(reason_for(reason))


def test_a_declined_card_is_never_tried_again() -> None:
    """Not by a webhook, nor by a deadline: a question about it is a void, which charges nothing."""
    messages: list[Message] = []
    story: list[Received] = [example.PLACED, example.DECLINED, example.NOTIFIED, alarm(2)]
    for length in range(3, len(story) + 1):
        messages += after(payment, *story[:length])[1]

    assert [VoidCharge] == kinds(tuple(messages))


# --- the order ---------------------------------------------------------------------


def test_an_order_waits_for_its_customer() -> None:
    """Its deadline is that of the customer and what payment needs then; it is not stuck."""
    pending = PaymentPending(transaction_id="o1", reason="500")
    reserved = InventoryReserved(order_id="o1", units=2)
    state, _ = after(order, example.PLACED, reserved, pending, (ACTION, 2))
    now_ms = START_MS + HOUR_MS

    assert (("customer_action", "waiting"),) == waits(state, START_MS + 5)
    assert "waiting" == status_of(state, now_ms - 1)
    assert START_MS + HOUR_MS + order.PAYMENT_MS == order.deadlines(state)["payment"]
    steps = {step.what: step for step in pending_steps(state)}
    confirmation = steps["the customer to confirm the payment with the bank"]
    assert (URL, now_ms) == (confirmation.url, confirmation.until_ms)
    assert {"kind": "confirm_payment", "url": URL, "until_ms": now_ms} == view(state)["action"]
    assert "action_required" == view(state)["steps"]["payment"]["status"]


def test_an_order_waits_for_the_provider_to_process() -> None:
    """Nobody can hurry it: there is no link."""
    state, _ = after(order, example.PLACED, WORKS)

    assert ("processing", "waiting") == waits(state, START_MS + 5)[0]
    assert {""} == {step.url for step in pending_steps(state)}
    assert view(state)["action"] is None


def test_an_order_goes_on_once_it_is_confirmed() -> None:
    """The deadline of the customer is gone."""
    paid = after(payment, *POLLED, example.SUCCEEDED)[1][0]

    state, _ = after(order, example.PLACED, ACTION, paid)

    assert "completed" == state.payment.status
    assert "payment" not in order.deadlines(state)
    assert view(state)["action"] is None


# --- the customer ------------------------------------------------------------------


def test_the_customer_gets_the_link_once() -> None:
    """With the amount and the time; the time-out is not a reproach."""
    state, (message,) = after(notification, ACTION)
    again_said = after(notification, ACTION, ACTION)[1]

    assert "c1" == message.customer_id
    assert message.text == (
        "Your bank asks you to confirm 10.00 GBP by 14 November 23:13 UTC. "
        f"Otherwise the order is cancelled, and nothing is taken. {URL}"
    )
    assert () == again_said
    assert "c1" not in state.notification_ids


def test_a_link_that_is_too_long_is_not_cut() -> None:
    """It would lead nowhere."""
    long = replace(ACTION, url=f"{URL}/{'x' * 500}")

    (message,) = after(notification, long)[1]

    assert "https" not in message.text
    assert "on the page of your order" in message.text


@pytest.mark.parametrize(("tries_again", "follows"), [(True, "once more"), (False, "another way")])
def test_nobody_promises_another_refund_after_the_last(tries_again: bool, follows: str) -> None:
    """After the last round an operator decides."""
    failed = PaymentRefundFailed(
        transaction_id="o1",
        payment_id="pi",
        refund_id="re",
        amount_minor=1_000,
        currency="GBP",
        kind="compensation",
        reason="closed",
        was_refunded=True,
        tries_again=tries_again,
    )

    (message,) = after(notification, failed)[1]

    assert follows in message.text
