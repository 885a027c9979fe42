"""What an operator decides about a dispute, and what of it waits for one.

Part of `workflows/payment/dispute_evolution.py`. While a bank only asks, a part of the payment is
not refunded: a bank that is not content takes the whole amount all the same. A refund of all of it
ends the inquiry. docs.stripe.com/disputes/how-disputes-work.
"""

from msgspec.structs import replace

from workflows.payment import dispute_messages as facts
from workflows.payment.dispute import CLOSED, NEEDS_RESPONSE, Dispute, Disputes
from workflows.payment.dispute_stages import BY_NOW, INQUIRY, kind_in, kind_of, stage_of

ESCALATED = "the answer was for the inquiry, which has become a chargeback"
"""Why the answer to an inquiry is not given to the chargeback that has followed."""


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
    dispute = disputes.by_id.get(message.dispute_id)
    if dispute is None:
        return False
    if not _is_meant(dispute, message):
        return False
    if message.decision == "refund":
        return holds_parts(dispute)
    return dispute.status in NEEDS_RESPONSE and not dispute.decision


def _is_meant(dispute: Dispute, message: facts.DisputeDecided) -> bool:
    if message.decision == "refund":
        # How often the bank was answered beside that is of no matter.
        return kind_in(message.stage) in ("", kind_of(dispute.status))
    return message.stage in ("", stage(dispute))


def stage(dispute: Dispute) -> str:
    """Return what a decision about a dispute is for now."""
    return stage_of(dispute.status, dispute.answers)


def meanwhile(disputes: Disputes, message: facts.DisputeDecided) -> str:
    """Return what has happened since the stage that a decision is for; empty: nothing is known."""
    dispute = disputes.by_id.get(message.dispute_id)
    if dispute is None or _is_meant(dispute, message):
        return ""
    meant, now = kind_in(message.stage), kind_of(dispute.status)
    if meant != now:
        return f"it was meant for the {meant}, and the dispute is {BY_NOW[now]} by now"
    if dispute.refusal and not dispute.decision:
        return f"the provider has not taken that answer ({dispute.refusal})"
    return ""


def decided(dispute: Dispute, message: facts.DisputeDecided) -> Dispute:
    """Return `dispute` after the decision of an operator; one that is late changes nothing."""
    if message.decision == "refund":
        return replace(dispute, releases_parts=True) if holds_parts(dispute) else dispute
    if dispute.status not in NEEDS_RESPONSE or dispute.decision:
        return dispute
    again = tuple(each for each in dispute.emitted if each != "refused")
    asks = replace(dispute, emitted=again, refused="", refusal="", tries=0, ask="due")
    asks = replace(asks, answers=dispute.answers + 1)
    return replace(asks, decision=message.decision, evidence_text=message.evidence_text)


def carried_over(before: Dispute, after: Dispute) -> Dispute:
    """Return `after`, a report, without what operators have decided about what it was before."""
    if kind_of(before.status) != kind_of(after.status):
        after = replace(after, refused="", refusal="")
        if before.decision and after.status in NEEDS_RESPONSE:
            after = replace(after, refused=before.decision, refusal=ESCALATED)
        return replace(after, decision="", evidence_text="", answers=0)
    if after.status not in NEEDS_RESPONSE:
        return replace(after, decision="", evidence_text="")
    return after
