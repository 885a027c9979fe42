"""What an operator decides about a dispute, and what of it waits for one.

Part of `workflows/payment/dispute_progress.py`. While a bank only asks, a part of the payment is
not refunded: a bank that is not content takes the whole amount all the same. A refund of all of it
ends the inquiry. docs.stripe.com/disputes/how-disputes-work.
"""

from msgspec.structs import replace

from workflows.payment import dispute_messages as facts
from workflows.payment.dispute import CLOSED, INQUIRY, NEEDS_RESPONSE, Dispute, Disputes


def holds_parts(dispute: Dispute) -> bool:
    """Return whether parts of the payment are not refunded for now: its bank asks about it."""
    is_open = dispute.status in INQUIRY and dispute.status not in CLOSED
    return is_open and not dispute.releases_parts


def waiting(disputes: Disputes) -> dict[str, Dispute]:
    """Return the disputes that an operator may answer, by id."""
    return {
        dispute_id: each
        for dispute_id, each in disputes.by_id.items()
        if each.status in NEEDS_RESPONSE and not each.decision
    }


def inquiries(disputes: Disputes) -> dict[str, Dispute]:
    """Return the inquiries that hold parts, by id: an operator may let them be refunded."""
    return {key: each for key, each in disputes.by_id.items() if holds_parts(each)}


def undecided(disputes: Disputes) -> list[str]:
    """Return the disputes by which a bank has the money, or may take it, by id: none is over."""
    return [key for key, each in disputes.by_id.items() if each.status and not _is_closed(each)]


def _is_closed(dispute: Dispute) -> bool:
    return "closed" in dispute.emitted


def waits_for(disputes: Disputes, message: facts.DisputeDecided) -> bool:
    """Return whether a dispute waits for just this decision of an operator."""
    known = disputes.by_id.get(message.dispute_id)
    if known is None:
        return False
    if message.decision == "refund":
        return holds_parts(known)
    return known.status in NEEDS_RESPONSE and not known.decision


def decided(known: Dispute, message: facts.DisputeDecided) -> Dispute:
    """Return `known` after the decision of an operator; one that comes too late changes nothing."""
    if message.decision == "refund":
        return replace(known, releases_parts=True) if holds_parts(known) else known
    if known.status not in NEEDS_RESPONSE or known.decision:
        return known
    again = tuple(each for each in known.emitted if each != "refused")
    asks = replace(known, emitted=again, refused="", refusal="", tries=0, ask="due")
    return replace(asks, decision=message.decision, evidence_text=message.evidence_text)
