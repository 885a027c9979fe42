"""The provider refunds another amount than it was asked for: a return of 400 of 1,000."""

from typing import Any

from tests.support.examples.payment import PLACED, SUCCEEDED
from tests.support.workflow_runner import Received, after
from workflows.order.saga_messages import ReturnAccepted
from workflows.payment import process as payment
from workflows.payment.messages import PaymentRefunded, RefundCaseDecided
from workflows.payment.provider_messages import RefundSucceeded
from workflows.shared.message import Message

ACCEPTED = ReturnAccepted(order_id="o1", return_id="r1", lines=(), amount_minor=400, currency="GBP")


def paid(amount_minor: int, round_: int = 0, key: str = "r1") -> RefundSucceeded:
    """Return that the provider has refunded `amount_minor` in a round."""
    return RefundSucceeded(
        transaction_id="o1",
        refund_key=key,
        refund_id=f"re_{round_}",
        round=round_,
        amount_minor=amount_minor,
    )


def decided(decision: Any, reference: str = "", key: str = "r1") -> RefundCaseDecided:
    return RefundCaseDecided(
        transaction_id="o1", refund_key=key, decision=decision, reference=reference
    )


BOUGHT: list[Received] = [PLACED, SUCCEEDED]
RETURNED: list[Received] = [*BOUGHT, ACCEPTED]
SHORT: list[Received] = [*RETURNED, paid(399)]
MORE: list[Received] = [*RETURNED, paid(401)]


def emitted_by(story: list[Received]) -> list[Message]:
    """Return all that payment emits in a story."""
    return [each for at in range(len(story)) for each in after(payment, *story[: at + 1])[1]]


def refunds_in(story: list[Received]) -> list[tuple[str, int, int, bool]]:
    return [
        (each.refund_id, each.amount_minor, each.left_minor, each.by_hand)
        for each in emitted_by(story)
        if isinstance(each, PaymentRefunded)
    ]
