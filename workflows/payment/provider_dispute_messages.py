"""What payment asks the provider about disputes, and what came of it.

They travel with the messages of `workflows/payment/provider_messages.py`. A webhook about a dispute
is a hint like any other: what counts is DisputeReported.
"""

from typing import Literal

import msgspec

from workflows.shared.limits import Currency, Evidence, Milliseconds, MinorDue, Name, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal

Status = Literal[
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
]
"""The provider's own words; a `warning_` is an inquiry, which moves no money."""
AnsweredStage = Literal["", "inquiry", "chargeback"]
"""What is answered: a dispute that is something else by now is only reported. Empty: of a version
that did not say it, and answered whatever it is."""


class InquireDispute(Message, tag="payflow.provider.inquire_dispute.v1", frozen=True, kw_only=True):
    """Find out what has become of a dispute about this payment."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: Name
    attempt: int
    asked_at_ms: Milliseconds = 0


class SubmitDisputeEvidence(
    Message, tag="payflow.provider.submit_dispute_evidence.v1", frozen=True, kw_only=True
):
    """Hand the evidence to the bank, once; a dispute under review is only reported."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: Name
    evidence_text: Personal[Evidence]
    attempt: int
    asked_at_ms: Milliseconds = 0
    stage: AnsweredStage = ""


class CloseDispute(Message, tag="payflow.provider.close_dispute.v1", frozen=True, kw_only=True):
    """Give the dispute up: the customer keeps the money."""

    transaction_id: Name = msgspec.field(name="order_id")
    payment_id: Name
    dispute_id: Name
    attempt: int
    asked_at_ms: Milliseconds = 0
    stage: AnsweredStage = ""


class DisputeReported(
    Message, tag="payflow.provider.dispute_reported.v1", frozen=True, kw_only=True
):
    """A dispute as the provider has it now. The amounts are what its balance says has moved."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    attempt: int
    status: Status
    reason: Text
    amount_minor: MinorDue
    currency: Currency
    withdrawn_minor: MinorDue = 0
    """What was taken from us; 0 for an inquiry."""
    fee_minor: MinorDue = 0
    reinstated_minor: MinorDue = 0
    """What came back."""
    fee_returned_minor: MinorDue = 0
    due_by_ms: Milliseconds = 0
    """Until when evidence is taken; 0: none is."""
    is_charge_refundable: bool = True


class DisputeRefused(Message, tag="payflow.provider.dispute_refused.v1", frozen=True, kw_only=True):
    """The provider does not do what was asked and never will, or has no such dispute of ours."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    attempt: int
    is_absent: bool = False
    reason: Text


class DisputeUnknown(Message, tag="payflow.provider.dispute_unknown.v1", frozen=True, kw_only=True):
    """Neither yes nor no; payment asks again."""

    transaction_id: Name = msgspec.field(name="order_id")
    dispute_id: Name
    attempt: int
    reason: Text


DisputeCommand = InquireDispute | SubmitDisputeEvidence | CloseDispute
DisputeAnswer = DisputeReported | DisputeRefused | DisputeUnknown
