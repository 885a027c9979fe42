"""A payment that its customer disputes: what is asked, what is emitted, what becomes of refunds."""

from typing import Any

import pytest

from tests.support.examples.payment import (
    CANCELLED,
    NOTICE,
    PLACED,
    RETURN,
    RETURN_REST,
    SUCCEEDED,
)
from tests.support.workflow_runner import START_MS, Received, after, alarm, due_seconds, receive
from workflows.inventory.messages import InventoryRejected
from workflows.ledger import process as ledger
from workflows.ledger.messages import EntryPosted
from workflows.notification import process as notification
from workflows.notification.messages import RequestMessage
from workflows.order import process as order
from workflows.order.saga_messages import OrderCancelled
from workflows.order.view import view
from workflows.payment import process as payment
from workflows.payment.dispute_messages import (
    DisputeClosed,
    DisputeDecided,
    DisputeEvidenceDue,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    RefundCoveredByDispute,
)
from workflows.payment.provider_dispute_messages import (
    DisputeRefused,
    DisputeReported,
    DisputeUnknown,
    SubmitDisputeEvidence,
)
from workflows.payment.provider_messages import (
    ProviderNotified,
    RefundCharge,
    RefundRefused,
    RefundSucceeded,
)
from workflows.shared.message import Message

HINT = ProviderNotified(kind="dispute_changed", dispute_id="du", **NOTICE)
DAY = 86_400
DUE_BY_MS = START_MS + 14 * DAY * 1_000
ASKED = alarm(2)
"""Two seconds after the webhook the provider is asked."""


def report(status: str, attempt: int = 1, **changed: Any) -> DisputeReported:
    """Return what the provider says of the dispute; a chargeback of all of the payment."""
    moved = {"withdrawn_minor": 1_000, "fee_minor": 1_500, "is_charge_refundable": False}
    if status.startswith("warning"):
        moved = {}
    if status == "won":
        moved |= {"reinstated_minor": 1_000, "fee_returned_minor": 1_500}
    fields = {"reason": "fraudulent", "amount_minor": 1_000, "due_by_ms": DUE_BY_MS}
    return DisputeReported(
        transaction_id="o1",
        dispute_id="du",
        attempt=attempt,
        currency="GBP",
        **{"status": status, **fields, **moved, **changed},  # pyright: ignore[reportArgumentType]
    )


OPENED = (PLACED, SUCCEEDED, HINT, ASKED, report("needs_response"))
INQUIRY = (PLACED, SUCCEEDED, HINT, ASKED, report("warning_needs_response"))
REFUSED = RefundRefused(
    transaction_id="o1", refund_key="r1", reason="charge_disputed", dispute_id="du"
)
SUBMIT = DisputeDecided(
    transaction_id="o1", dispute_id="du", decision="submit", evidence_text="proof"
)
ACCEPT = DisputeDecided(transaction_id="o1", dispute_id="du", decision="accept")
LET_GO = DisputeDecided(transaction_id="o1", dispute_id="du", decision="refund")


@pytest.mark.parametrize(
    ("story", "received", "expected"),
    [
        pytest.param([PLACED, SUCCEEDED], HINT, [], id="a webhook is not a fact"),
        pytest.param([PLACED, SUCCEEDED, HINT], ASKED, ["InquireDispute"], id="it is looked up"),
        pytest.param([PLACED, SUCCEEDED, HINT, HINT], ASKED, ["InquireDispute"], id="once for two"),
        pytest.param([PLACED, HINT, ASKED], SUCCEEDED, ["PaymentCompleted", "InquireDispute"],
                     id="a webhook that overtakes the answer to the charge"),
        pytest.param(OPENED[:-1], OPENED[-1], ["DisputeOpened", "DisputeFundsWithdrawn"],
                     id="a chargeback"),
        pytest.param(INQUIRY[:-1], INQUIRY[-1], ["DisputeOpened"], id="an inquiry moves no money"),
        pytest.param([*INQUIRY, (HINT, 9), alarm(11)], report("needs_response", 3),
                     ["DisputeEscalated", "DisputeFundsWithdrawn"], id="it may be escalated"),
        pytest.param([*INQUIRY, (HINT, 9), alarm(11)], report("warning_closed", 3),
                     ["DisputeClosed"], id="or closed"),
        pytest.param(OPENED, report("warning_needs_response"), [], id="no status goes back"),
        pytest.param(OPENED, report("needs_response"), [], id="a repeated answer"),
        pytest.param(OPENED[:-1], report("won"),
                     ["DisputeOpened", "DisputeFundsWithdrawn", "DisputeFundsReinstated",
                      "DisputeClosed"], id="all at once when it is known late"),
        pytest.param([*OPENED, report("lost")], report("won"), ["DisputeFundsReinstated"],
                     id="the first outcome counts"),
        pytest.param([*OPENED, report("lost")], HINT, [], id="what is over is not asked about"),
        pytest.param(OPENED, alarm(11 * DAY), ["DisputeEvidenceDue", "InquireDispute"],
                     id="the last day is near"),
        pytest.param([*OPENED, alarm(11 * DAY)], SUBMIT, ["SubmitDisputeEvidence"],
                     id="an operator answers"),
        pytest.param(OPENED, ACCEPT, ["CloseDispute"], id="or gives it up"),
        pytest.param([*OPENED, SUBMIT], SUBMIT, [], id="once"),
        pytest.param([*OPENED, SUBMIT], report("under_review", 2), ["DisputeEvidenceSubmitted"],
                     id="the bank has it"),
        pytest.param([*OPENED, SUBMIT], (report("needs_response"), 1), [],
                     id="an answer to the question before says nothing of it"),
        pytest.param(
            [*OPENED, SUBMIT],
            DisputeRefused(transaction_id="o1", dispute_id="du", attempt=2, reason="no"),
            ["DisputeAnswerRefused"],
            id="what the provider does not take ends",
        ),
        pytest.param(OPENED, RETURN, ["PaymentRefundHeld"], id="a return is held"),
        pytest.param(OPENED, CANCELLED, ["PaymentRefundHeld"], id="and a compensation"),
        pytest.param(INQUIRY, RETURN, ["PaymentRefundHeld"],
                     id="an inquiry holds a part: the bank may take the whole all the same"),
        pytest.param(INQUIRY, CANCELLED, ["RefundCharge"],
                     id="not the whole, whose refund ends the inquiry"),
        pytest.param([*INQUIRY, RETURN], RETURN_REST, ["RefundCharge", "RefundCharge"],
                     id="nor parts that are the whole together"),
        pytest.param([*INQUIRY, RETURN], LET_GO, ["RefundCharge"], id="nor what an operator wants"),
        pytest.param([*INQUIRY, LET_GO], RETURN, ["RefundCharge"], id="nor what comes after that"),
        pytest.param([*INQUIRY, RETURN, LET_GO], LET_GO, [], id="said once"),
        pytest.param([*OPENED, RETURN], LET_GO, [], id="a chargeback has the money: nobody may"),
        pytest.param([*INQUIRY, LET_GO, (HINT, 9), alarm(11), report("needs_response", 3)], RETURN,
                     ["PaymentRefundHeld"], id="a chargeback holds it, whatever was said before"),
        pytest.param([*INQUIRY, RETURN, (HINT, 9), alarm(11)], report("warning_closed", 3),
                     ["DisputeClosed", "RefundCharge"], id="the inquiry is over, and it goes on"),
        pytest.param([*INQUIRY, RETURN, (HINT, 9), alarm(11)], report("lost", 3),
                     ["DisputeEscalated", "DisputeFundsWithdrawn", "DisputeClosed",
                      "RefundCoveredByDispute"], id="escalated and lost, the bank has paid it"),
        pytest.param([*INQUIRY, LET_GO], SUBMIT, ["SubmitDisputeEvidence"],
                     id="the bank is answered all the same"),
        pytest.param([*INQUIRY, SUBMIT, RETURN], LET_GO, ["RefundCharge"],
                     id="and its answer stops no refund"),
        pytest.param([PLACED, SUCCEEDED, HINT], RETURN, [], id="nor said while nothing is known"),
        pytest.param([*OPENED, RETURN], report("won"),
                     ["DisputeFundsReinstated", "DisputeClosed", "RefundCharge"],
                     id="won, and the refund goes on"),
        pytest.param([*OPENED, RETURN], report("lost"),
                     ["DisputeClosed", "RefundCoveredByDispute"],
                     id="lost, and the bank has given it back"),
        pytest.param([*OPENED, report("lost")], RETURN, ["RefundCoveredByDispute"],
                     id="a return after a lost dispute"),
        pytest.param([*OPENED, report("lost")], CANCELLED, ["RefundCoveredByDispute"],
                     id="a cancellation after a lost dispute"),
        pytest.param([PLACED, SUCCEEDED, RETURN], REFUSED, [], id="a refund in flight waits"),
        pytest.param([PLACED, SUCCEEDED, RETURN, REFUSED], ASKED, ["InquireDispute"],
                     id="and the dispute is looked up without any webhook"),
        pytest.param(
            [PLACED, SUCCEEDED, RETURN, REFUSED, ASKED], report("needs_response"),
            ["DisputeOpened", "DisputeFundsWithdrawn", "PaymentRefundHeld"], id="it is held then"),
    ],
)  # fmt: skip
def test_a_dispute_becomes_facts(
    story: list[Received], received: Received, expected: list[str]
) -> None:
    """What the provider reports counts, each thing once and in its order."""
    _, emitted = after(payment, *story, received)

    assert expected == [type(message).__name__ for message in emitted]


def test_a_refund_that_is_refused_again_and_again_is_a_case() -> None:
    """Also where the provider says in the same breath that the charge can be refunded."""
    state, _ = after(payment, PLACED, SUCCEEDED, RETURN)
    names: list[str] = []
    for _ in range(40):
        due = due_seconds(payment, state)
        waits = state.disputes.by_id.get("du")
        is_inquired = waits is not None and waits.ask == "asked"
        refundable = {"is_charge_refundable": True}
        answer = report("needs_response", waits.asks - 1, **refundable) if is_inquired else REFUSED
        state, emitted = receive(payment, state, answer)
        names += [type(message).__name__ for message in emitted]
        if due is not None:
            state, emitted = receive(payment, state, alarm(due_seconds(payment, state) or 0))
            names += [type(message).__name__ for message in emitted]

    ended = names.index("RefundCaseOpened")

    assert 1 == names.count("RefundCaseOpened")
    assert "RefundCharge" not in names[ended:]


def test_a_dispute_of_somebody_else_is_forgotten() -> None:
    """Whoever holds the secret of webhooks can name one; it holds no refund for long."""
    absent = DisputeRefused(
        transaction_id="o1", dispute_id="du", attempt=1, is_absent=True, reason="none"
    )
    state, emitted = after(payment, PLACED, SUCCEEDED, HINT, RETURN, ASKED, absent)

    assert {} == state.disputes.by_id
    assert ["RefundCharge"] == [type(message).__name__ for message in emitted]


def test_a_provider_that_is_away_is_asked_again_ever_less_often() -> None:
    """The dispute stays; nothing is lost."""
    state, _ = after(payment, PLACED, SUCCEEDED, HINT, ASKED)
    waits: list[float] = []
    for _ in range(12):
        [dispute] = state.disputes.by_id.values()
        unknown = DisputeUnknown(
            transaction_id="o1", dispute_id="du", attempt=dispute.asks - 1, reason="500"
        )
        before = (state.disputes.wait.woken_at_ms - START_MS) / 1_000
        state, _ = receive(payment, state, (unknown, before))
        due = due_seconds(payment, state)
        assert due is not None
        waits.append(due - before)
        state, emitted = receive(payment, state, alarm(due))
        assert ["InquireDispute"] == [type(message).__name__ for message in emitted]

    assert waits == sorted(waits)
    assert 600 == waits[-1]


def test_what_was_refunded_before_is_not_lost_again() -> None:
    """The bank took the rest: a cancellation later owes nothing more."""
    back = RefundSucceeded(transaction_id="o1", refund_key="r1", refund_id="re", amount_minor=300)
    rest = {"amount_minor": 700, "withdrawn_minor": 700}
    story = [PLACED, SUCCEEDED, RETURN, back, HINT, ASKED, report("lost", **rest)]
    _, emitted = after(payment, *story, CANCELLED)

    [covered] = emitted
    assert isinstance(covered, RefundCoveredByDispute)
    assert (700, 0) == (covered.amount_minor, covered.left_minor)


def test_what_the_bank_has_not_given_is_still_refunded() -> None:
    """A dispute about a part covers so much of a refund."""
    part = {"amount_minor": 400, "withdrawn_minor": 400}
    story = [PLACED, SUCCEEDED, HINT, ASKED, report("needs_response", **part), CANCELLED]
    _, emitted = after(payment, *story, report("lost", **part))

    _, covered, refund = emitted
    assert isinstance(covered, RefundCoveredByDispute)
    assert isinstance(refund, RefundCharge)
    assert (400, 600, 600) == (covered.amount_minor, covered.left_minor, refund.amount_minor)


def balances(*facts: Message) -> dict[str, int]:
    """Return the balances that are not zero, after `facts` about an order that was paid."""
    paid = after(payment, PLACED, SUCCEEDED)[1][0]
    state, _ = after(ledger, paid, *facts)
    return {account: amount for account, amount in state.balances.items() if amount}


ABOUT = {"transaction_id": "o1", "dispute_id": "du", "currency": "GBP"}
WITHDRAWN = DisputeFundsWithdrawn(**ABOUT, amount_minor=1_000, fee_minor=1_500)  # pyright: ignore[reportArgumentType]
BACK = DisputeFundsReinstated(**ABOUT, amount_minor=1_000, fee_minor=0)  # pyright: ignore[reportArgumentType]
LOST = DisputeClosed(
    transaction_id="o1",
    payment_id="pi",
    dispute_id="du",
    outcome="lost",
    reason="fraudulent",
    amount_minor=1_000,
    currency="GBP",
)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            [WITHDRAWN],
            {"cash_at_provider": -1_500, "disputes_receivable": 1_000, "dispute_fees": 1_500},
            id="withdrawn",
        ),
        pytest.param([WITHDRAWN, WITHDRAWN, BACK],
                     {"cash_at_provider": -500, "dispute_fees": 1_500},
                     id="won, and the fee is kept"),
        pytest.param([WITHDRAWN, LOST, LOST],
                     {"cash_at_provider": -1_500, "dispute_fees": 1_500, "chargebacks": 1_000},
                     id="lost"),
    ],
)  # fmt: skip
def test_the_ledger_has_an_entry_for_each_movement(
    facts: list[Message], expected: dict[str, int]
) -> None:
    """Once each, and balanced."""
    balance_by_account = balances(*facts)

    assert {"customer_receivable": -1_000, **expected} == balance_by_account
    assert 0 == sum(balance_by_account.values())


def test_a_refund_that_the_bank_has_given_is_no_loss() -> None:
    """What we owed the customer is paid with the money that was lost."""
    covered = after(payment, *OPENED, CANCELLED, report("lost"))[1][-1]
    balance_by_account = balances(WITHDRAWN, LOST, covered)

    assert {"cash_at_provider": -1_500, "dispute_fees": 1_500} == balance_by_account


def test_an_entry_of_a_dispute_balances() -> None:
    """Debits are credits, in the currency of the dispute."""
    _, [entry] = after(ledger, WITHDRAWN)

    assert isinstance(entry, EntryPosted)
    assert 0 == sum(each.debit_minor - each.credit_minor for each in entry.postings)
    assert "GBP" == entry.currency


def test_the_facts_say_until_when_evidence_is_taken() -> None:
    """Who opens and who nears the last day of it."""
    state, emitted = after(payment, *OPENED)
    opened = emitted[0]
    _, [near, *_] = receive(payment, state, alarm(11 * DAY))

    assert isinstance(opened, DisputeOpened)
    assert isinstance(near, DisputeEvidenceDue)
    assert (DUE_BY_MS, DUE_BY_MS) == (opened.evidence_due_by_ms, near.evidence_due_by_ms)


def test_the_evidence_of_an_operator_is_what_is_sent() -> None:
    """And it is asked for again when no answer comes."""
    state, [sent] = after(payment, *OPENED, SUBMIT)
    _, again = receive(payment, state, alarm(due_seconds(payment, state) or 0))

    assert isinstance(sent, SubmitDisputeEvidence)
    assert "proof" == sent.evidence_text
    assert [SubmitDisputeEvidence] == [type(each) for each in again]


def test_the_order_says_what_the_bank_has_decided() -> None:
    """With its amount, its reason, the last day for evidence, and what there is as evidence."""
    placed, paid = PLACED, after(payment, PLACED, SUCCEEDED)[1][0]
    facts = [*after(payment, *OPENED)[1], *after(payment, *OPENED, alarm(11 * DAY))[1][:1]]
    state, _ = after(order, placed, paid, *facts)
    page = view(state)

    [one] = page["disputes"]
    assert ("chargeback", True, DUE_BY_MS) == (one["status"], one["is_near"], one["due_by_ms"])
    assert "The bank has taken 10.00 GBP and a fee of 15.00 GBP (fraudulent)" == one["text"]

    state, _ = after(order, placed, paid, *facts, LOST)
    [one] = view(state)["disputes"]
    assert ("lost", False, False) == (one["status"], one["is_near"], one["answerable"])


def test_a_cancelled_order_ends_with_what_the_bank_has_given_back() -> None:
    """It waits for the bank, is not stuck meanwhile, and the customer reads who has paid."""
    paid = after(payment, PLACED, SUCCEEDED)[1][0]
    rejected = InventoryRejected(order_id="o1", reason="out_of_stock")
    [held] = after(payment, *OPENED, CANCELLED)[1]
    covered = after(payment, *OPENED, CANCELLED, report("lost"))[1][-1]
    waiting, _ = after(order, PLACED, paid, rejected, held)
    _, [cancelled] = after(order, PLACED, paid, rejected, held, covered)

    assert "disputed" == waiting.payment.status
    assert (order.overdue_at_ms(waiting) or 0) > START_MS + 100 * DAY * 1_000
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.by_bank
    _, [sent] = after(notification, cancelled)
    assert isinstance(sent, RequestMessage)
    assert "Your bank has given your money back to you." in sent.text


def test_the_customer_reads_why_a_refund_waits_and_who_has_paid_it() -> None:
    """Once each."""
    [held] = after(payment, *OPENED, RETURN)[1]
    covered = after(payment, *OPENED, RETURN, report("lost"))[1][-1]
    texts = [
        each.text
        for fact in (held, covered)
        for each in after(notification, fact)[1]
        if isinstance(each, RequestMessage)
    ]

    assert "We refund 3.00 GBP once your bank has decided" in texts[0]
    assert "Your bank has given 3.00 GBP back to you. That settles your refund." == texts[1]
