"""What of a payment waits for the decision of an operator, for the list of all such cases.

Part of the payment workflow. Refunds that failed for good, items that left and cannot be charged,
disputes that nobody has answered, amounts that are not what was asked for.
"""

from collections.abc import Iterator

from workflows.payment import case_decisions, dispute_decisions, refund_disputes, refund_evolution
from workflows.payment.dispute_stages import INQUIRY, title_of
from workflows.payment.process import Payment
from workflows.shared.cases import CaseView, Decision, OpenCase
from workflows.shared.money import money

REFUND_DECISIONS = (
    Decision(
        name="retry",
        title="Ask for the refund again",
        effect="The provider is asked once more.",
    ),
    Decision(
        name="settled",
        title="The customer has the money another way",
        effect="The books say so, and the customer gets a message. A refund at the provider is "
        "looked up there first.",
        takes="reference",
        label="Found by: the id of the bank transfer, or of the refund at the provider (re_...)",
    ),
)
PAID_TWICE = (
    "the customer disputes this payment ({}), and the bank may refund it: "
    "who pays another way before the bank has decided may pay twice"
)
"""A warning for an operator who may pay a refund by hand while a dispute is open."""
CAPTURE_DECISIONS = (
    Decision(
        name="retry",
        title="Take the money again",
        effect="The provider is asked once more; a hold that has ended is charged anew.",
    ),
    Decision(
        name="written_off",
        title="Write the money off",
        effect="The sale is posted with its loss, and no money is asked for any more.",
        takes="reference",
        label="Found by: such as the number of a collection case",
        is_loss=True,
    ),
)
DISPUTE_DECISIONS = (
    Decision(
        name="submit",
        title="Send the evidence to the bank",
        effect="The bank reads it and decides. It can be sent once.",
        takes="text",
        label="What the bank reads: what was bought, how it was delivered, what the customer knew",
    ),
    Decision(
        name="accept",
        title="Give the dispute up",
        effect="For good: after a chargeback the customer keeps the money, and the fee is ours.",
        is_loss=True,
    ),
)

REFUND_NOW = Decision(
    name="refund",
    title="Refund what is held all the same",
    effect="It goes back now; a bank that is not content may take the whole amount besides.",
    is_loss=True,
)
STAYS = "nothing leaves; at its deadline the order is cancelled and all of it goes back"
LEAVES = "the items leave, since the amount was held before; the order counts as paid with this one"
"""Of another amount: what happens without a decision."""
MISMATCH_DECISIONS = (
    Decision(
        name="cancel",
        title="Cancel the order",
        effect="What has not left stays, and what was taken or held goes back, all of it.",
    ),
)


def open_cases(state: Payment) -> tuple[OpenCase, ...]:
    """Return what waits of one payment: refunds, the capture, disputes, another amount."""
    return (*_refunds(state), *_captures(state), *_disputes(state), *_mismatches(state))


def _refunds(state: Payment) -> Iterator[OpenCase]:
    disputed = dispute_decisions.undecided(state.disputes)
    for key in refund_evolution.cases(state.refunds):
        refund = state.refunds.by_key[key]
        yield OpenCase(
            kind="refund",
            key=key,
            amount_minor=refund.amount_minor,
            currency=state.bill.currency if state.bill else "",
            why=refund.reason or "the provider has failed it",
            since_ms=refund.requested_at_ms,
            otherwise="the customer is without this money, and nothing is tried any more",
            warning=PAID_TWICE.format(disputed[0]) if disputed else "",
            path=f"refund-cases/{key}",
            # Who has read the warning says so; a dispute that is newer than the page refuses, and
            # so does an amount that has grown.
            fields={
                "due_minor": str(refund.amount_minor),
                **({"despite_dispute": disputed[0]} if disputed else {}),
            },
            decisions=REFUND_DECISIONS,
        )


def _captures(state: Payment) -> Iterator[OpenCase]:
    bill = state.bill
    if bill is not None and case_decisions.capture_round(state) is not None:
        yield OpenCase(
            kind="capture",
            amount_minor=bill.total_minor,
            currency=bill.currency,
            why=state.capture.reason or "the hold has ended",
            since_ms=state.capture.requested_at_ms,
            otherwise="the items have left and are not paid, and nothing is tried any more",
            path="capture-case",
            decisions=CAPTURE_DECISIONS,
        )


def _disputes(state: Payment) -> Iterator[OpenCase]:
    answerable = dispute_decisions.waiting(state.disputes)
    holding = dispute_decisions.inquiries(state.disputes)
    holding = holding if refund_disputes.are_held(state.refunds) else {}
    for dispute_id, dispute in (holding | answerable).items():
        is_inquiry, stage = dispute.status in INQUIRY, dispute_decisions.stage(dispute)
        yield OpenCase(
            kind="dispute",
            key=dispute_id,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
            stage=title_of(stage),
            why=dispute.refusal or dispute.reason,
            since_ms=0,
            until_ms=dispute.due_by_ms,
            otherwise=(
                "the bank ends its inquiry as it likes, and may take the money"
                if is_inquiry
                else "the dispute is lost: the customer keeps the money, and the fee is ours"
            ),
            path="dispute",
            # What its reader has seen: a dispute that has gone on since refuses.
            fields={"dispute_id": dispute_id, "stage": stage},
            decisions=(
                *(DISPUTE_DECISIONS if dispute_id in answerable else ()),
                *((REFUND_NOW,) if dispute_id in holding else ()),
            ),
        )


def _mismatches(state: Payment) -> Iterator[OpenCase]:
    bill, held = state.bill, state.capture
    # What has left is paid with what was taken, and what is closed goes back: both end it.
    ended = state.closed or state.completed_emitted or held.requested_at_ms
    if bill is None or ended or not state.mismatch_emitted:
        return
    verb = "holds" if state.charge.outcome == "authorized" else "has taken"
    amount = money(bill.total_minor, bill.currency)
    yield OpenCase(
        kind="mismatch",
        amount_minor=bill.total_minor,
        currency=bill.currency,
        why=f"the provider {verb} {amount}, which is not what was asked for",
        since_ms=bill.asked_at_ms,
        otherwise=LEAVES if held.authorized_emitted else STAYS,
        path="cancel",
        role="operator",
        decisions=MISMATCH_DECISIONS,
    )


CASES = CaseView(table="payment", open=open_cases)
