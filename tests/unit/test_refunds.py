"""A refund that waits, fails, is refused or is decided by an operator, by example."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.examples.payment import CANCELLED, NOTICE, PLACED, SUCCEEDED
from tests.support.workflow_runner import START_MS, Received, after, alarm, due_seconds
from workflows.ledger import process as ledger
from workflows.notification import process as notification
from workflows.order import process as order
from workflows.order.saga_messages import ReturnAccepted
from workflows.payment import process as payment
from workflows.payment.books import lines_of_entry, lines_of_payment
from workflows.payment.messages import (
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundPending,
    RefundCaseDecided,
    RefundCaseOpened,
)
from workflows.payment.provider_messages import (
    InquireRefund,
    ProviderNotified,
    RefundCharge,
    RefundFailed,
    RefundPending,
    RefundRefused,
    RefundSucceeded,
)
from workflows.payment.refund_evolution import cases
from workflows.shared.message import Message

KEY = "compensation"
ABOUT = {"transaction_id": "o1", "payment_id": "pi", "amount_minor": 1_000, "currency": "GBP"}
OF_ORDER = {"kind": "compensation", "return_id": ""}
CLOSED = [PLACED, SUCCEEDED, CANCELLED]


def answer(kind: type, round_: int = 0, **more: object) -> Message:
    """Return what the provider says of the refund of a round."""
    about = {"transaction_id": "o1", "refund_key": KEY, "round": round_}
    refund_id = {} if kind is RefundRefused else {"refund_id": f"re{round_}"}
    return kind(**about, **refund_id, **more)


def refund_request(round_: int = 0, attempt: int = 0) -> RefundCharge:
    """Return the request of a round."""
    return RefundCharge(
        **ABOUT, refund_key=KEY, attempt=attempt, asked_at_ms=START_MS, round=round_
    )


def refunded(round_: int = 0, **more: object) -> PaymentRefunded:
    """Return that the refund of a round has gone back."""
    return PaymentRefunded(**{**ABOUT, **OF_ORDER, "refund_id": f"re{round_}", **more})


def failed(round_: int = 0, *, was_refunded: bool) -> PaymentRefundFailed:
    """Return that the refund of a round has failed."""
    about = {**ABOUT, **OF_ORDER, "refund_id": f"re{round_}"}
    again = round_ == 0
    return PaymentRefundFailed(
        **about, reason="closed", was_refunded=was_refunded, tries_again=again
    )


def inquiry(attempt: int, round_: int = 0) -> InquireRefund:
    """Return the question what has become of a refund."""
    return InquireRefund(
        transaction_id="o1",
        payment_id="pi",
        refund_key=KEY,
        refund_id=f"re{round_}",
        round=round_,
        attempt=attempt,
        asked_at_ms=START_MS,
    )


PENDING = answer(RefundPending, status="pending")
REFUNDED_IN_FULL = answer(RefundSucceeded, amount_minor=1_000)
FAILED = answer(RefundFailed, reason="closed")
AGAIN_FAILED = answer(RefundFailed, 1, reason="closed")
SHORT = answer(RefundSucceeded, amount_minor=999)
SHORT_CASE = RefundCaseOpened(
    **{**ABOUT, "amount_minor": 1},
    refund_key=KEY,
    asked_at_ms=START_MS,
    reason="refunded 999, asked for 1000",
)
REFUSED = answer(RefundRefused, reason="charge_already_refunded")
CHANGED = ProviderNotified(kind="refund_changed", refund_id="re0", **NOTICE)
WAITS = PaymentRefundPending(**ABOUT, **OF_ORDER, refund_id="re0")
CASE = RefundCaseOpened(**ABOUT, refund_key=KEY, asked_at_ms=START_MS, reason="closed")
DECIDED = {"transaction_id": "o1", "refund_key": KEY}
RETRY = RefundCaseDecided(**DECIDED, decision="retry")
SETTLED = RefundCaseDecided(**DECIDED, decision="settled", reference="bank-7")
TO_CASE = [*CLOSED, FAILED, AGAIN_FAILED]


@pytest.mark.parametrize(
    ("story", "emitted", "due"),
    [
        pytest.param([*CLOSED, PENDING], (WAITS,), 60, id="pending is not refunded"),
        pytest.param([*CLOSED, PENDING, PENDING], (), 60, id="it is emitted once"),
        pytest.param([*CLOSED, PENDING, alarm(60)], (inquiry(1),), 90, id="it is asked about"),
        pytest.param(
            [*CLOSED, PENDING, CHANGED], (), 2, id="a webhook about it is a reason to ask soon"
        ),
        pytest.param([*CLOSED, PENDING, CHANGED, alarm(2)], (inquiry(1),), 32, id="and it does"),
        pytest.param([*CLOSED, PENDING, REFUNDED_IN_FULL], (refunded(),), None, id="it succeeds"),
        pytest.param(
            [*CLOSED, PENDING, FAILED],
            (failed(was_refunded=False), refund_request(1, 0)),
            30,
            id="it fails: another refund",
        ),
        pytest.param(
            [*CLOSED, REFUNDED_IN_FULL, CHANGED, alarm(2)],
            (inquiry(1),),
            32,
            id="one that was given changes",
        ),
        pytest.param(
            [*CLOSED, REFUNDED_IN_FULL, CHANGED, alarm(2), FAILED],
            (failed(was_refunded=True), refund_request(1, 0)),
            30,
            id="it has failed after all, and is reversed",
        ),
        pytest.param(
            [*CLOSED, CHANGED, REFUNDED_IN_FULL],
            (refunded(),),
            2,
            id="a webhook that overtakes the answer",
        ),
        pytest.param(
            TO_CASE,
            (failed(1, was_refunded=False), CASE),
            None,
            id="twice: a case",
        ),
        pytest.param([*TO_CASE, FAILED], (), None, id="of an earlier round it says nothing new"),
        pytest.param(
            [*CLOSED, REFUSED],
            (
                RefundCaseOpened(
                    **ABOUT,
                    refund_key=KEY,
                    asked_at_ms=START_MS,
                    reason="charge_already_refunded",
                ),
            ),
            None,
            id="refused for good: a case at once",
        ),
        pytest.param(
            [*CLOSED, SHORT],
            (refunded(amount_minor=999, left_minor=1), SHORT_CASE),
            None,
            id="a unit less: a case of that unit at once",
        ),
        pytest.param(
            [*CLOSED, PENDING, SHORT],
            (refunded(amount_minor=999, left_minor=1), SHORT_CASE),
            None,
            id="also once it was pending",
        ),
        pytest.param([*CLOSED, SHORT, SHORT], (), None, id="and one case"),
        pytest.param(
            [*CLOSED, SHORT, RETRY],
            (replace(refund_request(2), amount_minor=1),),
            30,
            id="tried again, what is left is asked for",
        ),
        pytest.param(
            [*TO_CASE, RETRY], (refund_request(2, 0),), 30, id="an operator asks once more"
        ),
        pytest.param(
            [*TO_CASE, SETTLED],
            (refunded(refund_id="bank-7", by_hand=True),),
            None,
            id="an operator has paid it another way",
        ),
        pytest.param([*TO_CASE, SETTLED, SETTLED], (), None, id="a case is decided once"),
        pytest.param(
            [*TO_CASE, SETTLED, AGAIN_FAILED], (), None, id="a late failure opens no case of it"
        ),
        pytest.param([*CLOSED, SETTLED], (), 30, id="there is nothing to decide before"),
    ],
)
def test_refunds(story: list[Received], emitted: tuple[Message, ...], due: float | None) -> None:
    """After this story the last message makes it emit this, and it wants to be woken then."""
    state, actual = after(payment, *story)

    assert emitted == actual
    due_now = due_seconds(payment, state)
    assert due == (None if due_now is None else round(due_now))


def test_a_refund_found_at_the_provider_that_fails_after_all_is_a_case_of_its_own() -> None:
    """Of the next round: the decision about the first one is made, and was carried out."""
    at_provider = RefundCaseDecided(**DECIDED, decision="settled", reference="re_9")
    lost = RefundFailed(
        transaction_id="o1", refund_key=KEY, refund_id="re_9", round=1, reason="expired"
    )
    story = [*TO_CASE, at_provider, replace(CHANGED, refund_id="re_9"), alarm(2)]
    [inquired], first = after(payment, *story)[1], after(payment, *TO_CASE)[0]
    state, emitted = after(payment, *story, lost)
    _, paid = after(payment, *story, lost, SETTLED)

    assert isinstance(inquired, InquireRefund)
    assert "re_9" == inquired.refund_id
    assert ["PaymentRefundFailed", "RefundCaseOpened"] == [type(each).__name__ for each in emitted]
    assert [{KEY: 1}, {KEY: 2}] == [cases(each.refunds) for each in (first, state)]
    assert (refunded(refund_id="bank-7", by_hand=True),) == paid


def returned(*stories: tuple[str, str]) -> tuple[Any, list[Message]]:
    """Return the payment after refused returns, settled by a reference each, and what it emits."""
    story: list[Message] = [PLACED, SUCCEEDED]
    emitted: list[Message] = []
    for key, reference in stories:
        about = {"transaction_id": "o1", "refund_key": key}
        accepted = ReturnAccepted(
            order_id="o1", return_id=key, lines=(), amount_minor=300, currency="GBP"
        )
        story += [accepted, RefundRefused(**about, reason="charge_already_refunded")]
        story += [RefundCaseDecided(**about, decision="settled", reference=reference)]
        emitted += after(payment, *story)[1]
    return after(payment, *story)[0], emitted


def test_one_transfer_that_pays_two_refunds_is_two_entries() -> None:
    """Each has a number of its own, so that the books have both; what is repeated changes none."""
    paid = after(payment, PLACED, SUCCEEDED)[1][0]
    emitted = returned(("r1", "bank-7"), ("r2", "bank-7"), ("r3", "bank-7"))[1]
    books = after(ledger, paid, *emitted, *emitted)[0].balances

    assert ["bank-7", "bank-7#2", "bank-7#3"] == [each.refund_id for each in emitted]
    assert {"refunds": 900, "cash_at_bank": -900} == {
        name: books[name] for name in ("refunds", "cash_at_bank")
    }


def test_one_refund_at_the_provider_settles_one_case() -> None:
    """The second stays a case, and says why; it can be decided again."""
    state, (first, second) = returned(("r1", "re_9"), ("r2", "re_9"))

    assert isinstance(first, PaymentRefunded)
    assert isinstance(second, RefundCaseOpened)
    assert "re_9 is the refund of r1 already" == second.reason
    assert {"r2": 1} == cases(state.refunds)


def test_what_failed_is_reversed_and_another_way_is_the_banks() -> None:
    """The books follow: cash is at the provider again, then it leaves the bank."""
    paid = after(payment, PLACED, SUCCEEDED)[1][0]
    story = [paid, refunded(), failed(was_refunded=True), refunded(by_hand=True, refund_id="b1")]

    balances = [after(ledger, *story[: at + 1])[0].balances for at in range(len(story))]

    assert [1_000, 0, 1_000, 1_000] == [each["cash_at_provider"] for each in balances]
    assert [-1_000, 0, -1_000, 0] == [each["customer_receivable"] for each in balances]
    assert -1_000 == balances[-1]["cash_at_bank"]
    assert balances[-1] == after(ledger, *story, *story)[0].balances


def test_a_failure_of_what_was_not_posted_is_no_entry() -> None:
    """Nothing was posted, so nothing is reversed."""
    assert () == after(ledger, failed(was_refunded=False))[1]


def test_the_customer_gets_a_message_of_a_refund_that_came_back_and_of_the_next() -> None:
    """Once each; one that had not been emitted is nobody's business."""
    of_return = {"kind": "return", "return_id": "r1"}
    back = refunded(**of_return)
    lost = PaymentRefundFailed(
        **ABOUT, **of_return, refund_id="re0", reason="closed", was_refunded=True
    )
    story = [back, lost, lost, refunded(1, **of_return)]

    titles = [
        [message.title for message in after(notification, *story[: at + 1])[1]]
        for at in range(len(story))
    ]

    assert [["Refund"], ["Refund delayed"], [], ["Refund"]] == titles
    assert () == after(notification, failed(was_refunded=False))[1]


def test_a_refund_of_a_cancelled_order_that_failed_is_news_when_it_arrives() -> None:
    """The first is said by the message that the order is cancelled; nothing else says the next."""
    story = [refunded(), failed(was_refunded=True), refunded(1), refunded(by_hand=True)]

    notifications = [after(notification, *story[: at + 1])[1] for at in range(3)]
    [by_hand] = after(notification, *story[:2], story[3])[1]

    assert [[], ["Refund delayed"], ["Refund"]] == [
        [each.title for each in one] for one in notifications
    ]
    assert "10.00 GBP is on its way back." == by_hand.text
    assert () == after(notification, *story[:3], story[2])[1]


def test_an_order_whose_refund_is_pending_is_not_stuck_for_weeks() -> None:
    """And it is cancelled once the money is back, not before."""
    placed, paid = PLACED, after(payment, PLACED, SUCCEEDED)[1][0]
    state, emitted = after(order, placed, paid, CANCELLED, WAITS)
    again, _ = after(order, placed, paid, CANCELLED, WAITS, failed(was_refunded=False))

    assert ("refunding", ()) == (state.payment.status, emitted)
    assert (order.overdue_at_ms(state) or 0) - START_MS > 14 * 86_400_000
    assert (order.overdue_at_ms(again) or 0) - START_MS < 86_400_000
    assert "completed" == again.payment.status


def test_the_books_that_are_reconciled_leave_out_what_the_provider_does_not_have() -> None:
    """A pending refund is open for weeks; one that was paid by hand is not the provider's."""
    pending, settled = (after(payment, *CLOSED, PENDING)[0], after(payment, *TO_CASE, SETTLED)[0])

    [refund] = [each for each in lines_of_payment(pending, START_MS) if each.kind == "refund"]
    kinds = [each.kind for each in lines_of_payment(settled, START_MS)]

    assert (True, True) == (refund.open, refund.open_ms > 13 * 86_400_000)
    assert ["charge"] == kinds
    entries = after(ledger, refunded(by_hand=True, refund_id="b1"))[1]
    assert [] == [line for entry in entries for line in lines_of_entry(entry, 0)]
