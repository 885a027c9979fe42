"""Payment, by example."""

import pytest

from tests.support.examples.payment import (
    BACK,
    BACK_UNKNOWN,
    CANCELLED,
    DECLINED,
    NOTIFIED,
    NOTIFIED_FAILED,
    PLACED,
    REJECTED,
    RETURN,
    RETURN_BACK,
    RETURN_REST,
    SUCCEEDED,
    UNKNOWN,
    VOIDED,
)
from tests.support.workflow_runner import START_MS, Received, after, alarm, due_seconds
from workflows.fraud.messages import FraudDetected
from workflows.payment import process as payment
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentPending,
    PaymentRefunded,
)
from workflows.payment.provider_messages import (
    ChargeCard,
    InquireCharge,
    RefundCharge,
    VoidCharge,
)
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentFailed

ASKS = {
    "transaction_id": "o1",
    "amount_minor": 1_000,
    "currency": "GBP",
    "payment_method": "pm_card_visa",
    "asked_at_ms": START_MS,
}
CHARGE = ChargeCard(**ASKS)
COMPLETED = PaymentCompleted(
    transaction_id="o1",
    payment_id="pi",
    amount_minor=1_000,
    goods_minor=900,
    charges_minor=100,
    currency="GBP",
    customer_id="c1",
    country="France",
    ordered_at_ms=5,
)
FAILED = PaymentFailed(
    transaction_id="o1",
    reason="card_declined",
    declined=True,
    amount_minor=1_000,
    currency="GBP",
    customer_id="c1",
    ordered_at_ms=5,
)
FAILED_CANCELLED = PaymentFailed(transaction_id="o1", reason="cancelled")
PENDING_SILENT = PaymentPending(transaction_id="o1", reason="no answer")
PENDING = PaymentPending(transaction_id="o1", reason="time-out")


def refund(
    key: str,
    amount_minor: int,
    attempt: int = 0,
    asked_at_ms: int = START_MS,
    round_: int = 0,
) -> RefundCharge:
    """Return the request to give `amount_minor` back."""
    return RefundCharge(
        transaction_id="o1",
        payment_id="pi",
        refund_key=key,
        amount_minor=amount_minor,
        currency="GBP",
        attempt=attempt,
        asked_at_ms=asked_at_ms,
        round=round_,
    )


def refunded(kind: str, refund_id: str, amount_minor: int, return_id: str = "") -> PaymentRefunded:
    """Return what is emitted when money went back."""
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="pi",
        refund_id=refund_id,
        amount_minor=amount_minor,
        currency="GBP",
        kind=kind,
        return_id=return_id,
    )


def inquire(attempt: int) -> InquireCharge:
    """Return the question what became of the charge."""
    return InquireCharge(**ASKS, attempt=attempt)


def void(attempt: int) -> VoidCharge:
    """Return the request to cancel the charge."""
    return VoidCharge(**ASKS, attempt=attempt)


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], PLACED, (CHARGE,), id="an order is charged"),
        pytest.param([PLACED], PLACED, (), id="the same order again is not charged again"),
        pytest.param([PLACED], SUCCEEDED, (COMPLETED,), id="a charge completes the payment"),
        pytest.param([PLACED], NOTIFIED, (), id="a webhook waits for the answer under way"),
        pytest.param([PLACED, NOTIFIED], SUCCEEDED, (COMPLETED,), id="which completes"),
        pytest.param([PLACED, NOTIFIED], alarm(2), (inquire(1),), id="or the provider is asked"),
        pytest.param(
            [PLACED, NOTIFIED, alarm(2)], DECLINED, (FAILED,), id="and believed, not the webhook"
        ),
        pytest.param([], NOTIFIED, (), id="a webhook of an unknown order is nobody's"),
        pytest.param([PLACED], DECLINED, (FAILED,), id="a decline fails the payment"),
        pytest.param(
            [PLACED, NOTIFIED_FAILED], alarm(2), (inquire(1),), id="a webhook of a decline asks too"
        ),
        pytest.param([PLACED, DECLINED, NOTIFIED_FAILED], alarm(2), (), id="it fails once"),
        pytest.param(
            [PLACED, DECLINED, NOTIFIED],
            alarm(2),
            (void(1),),
            id="what has failed is not charged by a forged webhook",
        ),
        pytest.param(
            [PLACED, DECLINED, NOTIFIED, alarm(2)], DECLINED, (), id="the provider denies it"
        ),
        pytest.param(
            [PLACED, DECLINED, NOTIFIED, alarm(2), UNKNOWN],
            alarm(4),
            (void(2),),
            id="no answer: it is asked for again",
        ),
        pytest.param([PLACED, SUCCEEDED], DECLINED, (), id="a decline after success is ignored"),
        pytest.param([PLACED], UNKNOWN, (PENDING,), id="not knowing is emitted"),
        pytest.param([PLACED, UNKNOWN], UNKNOWN, (), id="not knowing is emitted once"),
        pytest.param([PLACED, UNKNOWN], SUCCEEDED, (COMPLETED,), id="a late answer completes"),
        pytest.param([PLACED, SUCCEEDED], UNKNOWN, (), id="what is known stays known"),
    ],
)
def test_charging(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then this is emitted."""
    assert then == after(payment, *earlier, when)[1]


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([CANCELLED], PLACED, (FAILED_CANCELLED,), id="closed first, never charged"),
        pytest.param([PLACED], CANCELLED, (), id="closed while asked, the answer is awaited"),
        pytest.param(
            [PLACED, CANCELLED],
            SUCCEEDED,
            (COMPLETED, refund("compensation", 1_000)),
            id="a late success is refunded",
        ),
        pytest.param([PLACED, CANCELLED], DECLINED, (FAILED,), id="closed and declined fails"),
        pytest.param([PLACED, CANCELLED], UNKNOWN, (PENDING, void(1)), id="unknown is voided"),
        pytest.param([PLACED, UNKNOWN], CANCELLED, (void(1),), id="voided when closed meanwhile"),
        pytest.param(
            [PLACED, UNKNOWN, CANCELLED], VOIDED, (FAILED_CANCELLED,), id="voided is the end"
        ),
        pytest.param(
            [PLACED, UNKNOWN, CANCELLED, VOIDED],
            SUCCEEDED,
            (COMPLETED, refund("compensation", 1_000)),
            id="a charge after all is emitted and refunded",
        ),
        *(
            pytest.param(
                [PLACED, SUCCEEDED], closed, (refund("compensation", 1_000),), id=f"undo: {name}"
            )
            for name, closed in {
                "cancelled": CANCELLED,
                "rejected": REJECTED,
                "carrier": ShipmentFailed(order_id="o1", reason="x"),
                "fraud": FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1"),
            }.items()
        ),
        pytest.param([PLACED, SUCCEEDED, CANCELLED], REJECTED, (), id="two causes, one refund"),
        pytest.param(
            [PLACED, SUCCEEDED, CANCELLED],
            BACK,
            (refunded("compensation", "re", 1_000),),
            id="the refund is emitted",
        ),
        pytest.param([PLACED, SUCCEEDED, CANCELLED, BACK], BACK, (), id="it is emitted once"),
        pytest.param(
            [PLACED, SUCCEEDED, CANCELLED, BACK_UNKNOWN], BACK_UNKNOWN, (), id="it waits to retry"
        ),
        pytest.param([PLACED, SUCCEEDED], BACK, (), id="a refund nobody asked for is ignored"),
    ],
)
def test_taking_back(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given what was received, when this is received, then the money goes back once."""
    assert then == after(payment, *earlier, when)[1]


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], RETURN, (refund("r1", 300),), id="the price of a return goes back"),
        pytest.param([RETURN], RETURN, (), id="a return is refunded once"),
        pytest.param(
            [RETURN], RETURN_BACK, (refunded("return", "re1", 300, "r1"),), id="and emitted as such"
        ),
        pytest.param(
            [RETURN], RETURN_REST, (refund("r2", 700),), id="never more than was charged in sum"
        ),
        pytest.param(
            [RETURN], CANCELLED, (refund("compensation", 700),), id="only what is left goes back"
        ),
        pytest.param([RETURN, RETURN_REST], CANCELLED, (), id="nothing is left, nothing goes back"),
    ],
)
def test_returns(earlier: list[Received], when: Received, then: tuple[Message, ...]) -> None:
    """Given a paid order and what was known it, when this is received, then this is emitted."""
    assert then == after(payment, PLACED, SUCCEEDED, *earlier, when)[1]


@pytest.mark.parametrize(
    ("story", "emitted", "due"),
    [
        pytest.param([PLACED], (CHARGE,), 30, id="silence is waited for"),
        pytest.param(
            [PLACED, alarm(30)],
            (PENDING_SILENT, inquire(1)),
            60,
            id="silence is not knowing",
        ),
        pytest.param([PLACED, (UNKNOWN, 2)], (PENDING,), 3, id="the first pause is a second"),
        pytest.param([PLACED, (UNKNOWN, 2), alarm(3)], (inquire(1),), 33, id="then it inquires"),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(3), (UNKNOWN, 4)], (), 6, id="the next pause is longer"
        ),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(3), (UNKNOWN, 4), alarm(5)], (), 6, id="not before time"
        ),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(181)],
            (inquire(1),),
            211,
            id="a provider that is gone for two minutes is waited for",
        ),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(182)],
            (void(1),),
            212,
            id="after three minutes it is voided",
        ),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(182), (UNKNOWN, 183), alarm(185)],
            (void(2),),
            215,
            id="voiding is repeated",
        ),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(182), (VOIDED, 183)],
            (PaymentFailed(transaction_id="o1", reason="unknown for too long: time-out"),),
            None,
            id="voided for taking too long",
        ),
        pytest.param(
            [PLACED, (UNKNOWN, 2), alarm(3), (SUCCEEDED, 4)], (COMPLETED,), None, id="known: rest"
        ),
        pytest.param(
            [PLACED, SUCCEEDED, (CANCELLED, 1), (BACK_UNKNOWN, 2), alarm(3)],
            (refund("compensation", 1_000, attempt=1, asked_at_ms=START_MS + 1_000),),
            33,
            id="a refund is asked for again under the same key",
        ),
        pytest.param(
            [PLACED, SUCCEEDED, (CANCELLED, 1), alarm(31)],
            (refund("compensation", 1_000, attempt=1, asked_at_ms=START_MS + 1_000),),
            61,
            id="also when nobody answered",
        ),
        pytest.param(
            [PLACED, SUCCEEDED, (CANCELLED, 1), (BACK_UNKNOWN, 2), alarm(3), (BACK, 4)],
            (refunded("compensation", "re", 1_000),),
            None,
            id="refunded: rest",
        ),
    ],
)
def test_waiting(story: list[Received], emitted: tuple[Message, ...], due: float | None) -> None:
    """After this story the last message makes it emit this, and it wants to be woken then."""
    state, actual = after(payment, *story)

    assert emitted == actual
    assert due == due_seconds(payment, state)


def test_refunds_are_retried_for_ever_but_not_ever_faster() -> None:
    """Each failed refund doubles the pause up to a minute, and none is the last."""
    story, pauses, at = [PLACED, SUCCEEDED, CANCELLED], [], 0.0
    for _ in range(10):
        story.append((BACK_UNKNOWN, at))
        due = due_seconds(payment, after(payment, *story)[0])
        pauses.append(due - at)
        story.append(alarm(due))
        at = due

    assert [1, 2, 4, 8, 16, 32, 60, 60, 60, 60] == pauses


def test_an_alarm_that_rang_is_never_asked_for_again() -> None:
    """An old answer cannot put the alarm back to a moment that is already over."""
    old_answer = (UNKNOWN, 28)

    state, _ = after(payment, PLACED, alarm(30), old_answer)

    assert 30.001 == due_seconds(payment, state)
