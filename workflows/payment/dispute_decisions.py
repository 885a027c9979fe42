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
    known = disputes.by_id.get(message.dispute_id)
    if known is None:
        return False
    if not _is_meant(known, message):
        return False
    if message.decision == "refund":
        return holds_parts(known)
    return known.status in NEEDS_RESPONSE and not known.decision


def _is_meant(known: Dispute, message: facts.DisputeDecided) -> bool:
    if message.decision == "refund":
        # How often the bank was answered beside that is of no matter.
        return kind_in(message.stage) in ("", kind_of(known.status))
    return message.stage in ("", stage(known))


def stage(dispute: Dispute) -> str:
    """Return what a decision about a dispute is for now."""
    return stage_of(dispute.status, dispute.answers)


def meanwhile(disputes: Disputes, message: facts.DisputeDecided) -> str:
    """Return what has happened since the stage that a decision is for; empty: nothing is known."""
    known = disputes.by_id.get(message.dispute_id)
    if known is None or _is_meant(known, message):
        return ""
    meant, now = kind_in(message.stage), kind_of(known.status)
    if meant != now:
        return f"it was meant for the {meant}, and the dispute is {BY_NOW[now]} by now"
    if known.refusal and not known.decision:
        return f"the provider has not taken that answer ({known.refusal})"
    return ""


def decided(known: Dispute, message: facts.DisputeDecided) -> Dispute:
    """Return `known` after the decision of an operator; one that comes too late changes nothing."""
    if message.decision == "refund":
        return replace(known, releases_parts=True) if holds_parts(known) else known
    if known.status not in NEEDS_RESPONSE or known.decision:
        return known
    again = tuple(each for each in known.emitted if each != "refused")
    asks = replace(known, emitted=again, refused="", refusal="", tries=0, ask="due")
    asks = replace(asks, answers=known.answers + 1)
    return replace(asks, decision=message.decision, evidence_text=message.evidence_text)


def carried_over(known: Dispute, after: Dispute) -> Dispute:
    """Return `after`, a report, without what operators have decided about what it was before."""
    if kind_of(known.status) != kind_of(after.status):
        after = replace(after, refused="", refusal="")
        if known.decision and after.status in NEEDS_RESPONSE:
            after = replace(after, refused=known.decision, refusal=ESCALATED)
        return replace(after, decision="", evidence_text="", answers=0)
    if after.status not in NEEDS_RESPONSE:
        return replace(after, decision="", evidence_text="")
    return after
