"""The entries of a payment that its customer disputes with the bank. Pure."""

from workflows.ledger.messages import EntryPosted, Posting
from workflows.ledger.postings import entry, lowered_by_refund, moved, side
from workflows.payment.dispute_messages import (
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    RefundCoveredByDispute,
)
from workflows.shared.message import Message

DISPUTE, DISPUTE_REVERSED, CHARGEBACK = "dispute/", "dispute reversed/", "chargeback/"
"""The causes of the entries of a dispute, before the provider's id of it."""
COVERED_BY_BANK = "refund by the bank/"
"""The cause of a refund that the bank has given, before its key and what of it was left."""


def entries_of_dispute(received: Message) -> list[EntryPosted]:
    """Return the entry that a fact about a dispute makes due, if it is one and moves anything."""
    match received:
        case DisputeFundsWithdrawn(dispute_id=dispute_id, amount_minor=amount_minor):
            sides = _withdrawn(amount_minor, received.fee_minor)
            return [_entry(received, f"{DISPUTE}{dispute_id}", sides)]
        case DisputeFundsReinstated(dispute_id=dispute_id, amount_minor=amount_minor):
            sides = _withdrawn(-amount_minor, -received.fee_minor)
            return [_entry(received, f"{DISPUTE_REVERSED}{dispute_id}", sides)]
        case DisputeClosed(outcome="lost", dispute_id=dispute_id, amount_minor=amount_minor):
            sides = moved("chargebacks", "disputes_receivable", amount_minor)
            return [_entry(received, f"{CHARGEBACK}{dispute_id}", sides)]
        case RefundCoveredByDispute(amount_minor=amount_minor):
            # What was owed to the customer is not a loss: the bank has paid it out of our money.
            lowered = lowered_by_refund(received.kind)
            cause = f"{COVERED_BY_BANK}{received.refund_key}/{received.left_minor}"
            return [_entry(received, cause, moved(lowered, "chargebacks", amount_minor))]
        case _:
            return []


def _withdrawn(amount_minor: int, fee_minor: int) -> tuple[Posting, ...]:
    return (
        *side("disputes_receivable", amount_minor),
        *side("dispute_fees", fee_minor),
        *side("cash_at_provider", -amount_minor - fee_minor),
    )


def _entry(
    received: DisputeFundsWithdrawn
    | DisputeFundsReinstated
    | DisputeClosed
    | RefundCoveredByDispute,
    cause: str,
    sides: tuple[Posting, ...],
) -> EntryPosted:
    return entry(received.transaction_id, received.currency, cause, sides)
