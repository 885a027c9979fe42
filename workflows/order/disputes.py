"""The disputes about the payment of an order. Part of the order."""

from collections.abc import Mapping
from typing import TypedDict

import msgspec
from msgspec.structs import replace

from workflows.payment import dispute_messages as facts
from workflows.shared.message import Message
from workflows.shared.money import money

# --- state ------------------------------------------------------------------


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute. It begins as `inquiry` or `chargeback` and ends as the bank decides."""

    status: str = "chargeback"
    """inquiry, chargeback, submitted, won, lost, warning_closed"""
    amount_minor: int = 0
    currency: str = ""
    reason: str = ""
    fee_minor: int = 0
    opened_at_ms: int = 0
    due_by_ms: int = 0
    """Until when the bank takes evidence."""
    is_near: bool = False
    """Nobody has answered, and soon it is too late."""
    refusal: str = ""
    """Why the provider has not taken the latest answer."""


OPEN = ("inquiry", "chargeback", "submitted")

# --- evolve -----------------------------------------------------------------


def evolve(disputes: Mapping[str, Dispute], message: Message, at_ms: int) -> dict[str, Dispute]:
    """Return `disputes` after `message` about one of them."""
    dispute_id = str(getattr(message, "dispute_id", ""))
    dispute = disputes.get(dispute_id, Dispute(opened_at_ms=at_ms))
    changed = _after(dispute, message)
    return dict(disputes) if changed is dispute else {**disputes, dispute_id: changed}


def _after(dispute: Dispute, message: Message) -> Dispute:  # noqa: PLR0911  one match
    if dispute.status not in OPEN:
        return dispute
    match message:
        case facts.DisputeOpened() | facts.DisputeEscalated():
            is_inquiry = isinstance(message, facts.DisputeOpened) and message.is_inquiry
            return replace(
                dispute,
                status="inquiry" if is_inquiry else "chargeback",
                amount_minor=message.amount_minor,
                currency=message.currency,
                reason=message.reason,
                due_by_ms=message.evidence_due_by_ms,
                is_near=False,
                refusal="",
            )
        case facts.DisputeFundsWithdrawn(fee_minor=fee_minor):
            return replace(dispute, fee_minor=fee_minor)
        case facts.DisputeFundsReinstated(fee_minor=fee_minor):
            return replace(dispute, fee_minor=dispute.fee_minor - fee_minor)
        case facts.DisputeEvidenceDue():
            return replace(dispute, is_near=True)
        case facts.DisputeEvidenceSubmitted():
            return replace(dispute, status="submitted", is_near=False, refusal="")
        case facts.DisputeAnswerRefused(reason=reason):
            return replace(dispute, refusal=reason)
        case facts.DisputeClosed(outcome=outcome):
            return replace(dispute, status=outcome, is_near=False)
        case _:
            return dispute


# --- for people ---------------------------------------------------------------


class ShownDispute(TypedDict):
    """One dispute, whether it is open, whether it can be answered, and what it says."""

    dispute_id: str
    status: str
    amount_minor: int
    currency: str
    reason: str
    fee_minor: int
    opened_at_ms: int
    due_by_ms: int
    is_near: bool
    refusal: str
    open: bool
    answerable: bool
    text: str


def shown_disputes(disputes: Mapping[str, Dispute]) -> list[ShownDispute]:
    """Return the disputes as people read them."""
    rows = [
        {
            "dispute_id": dispute_id,
            **msgspec.to_builtins(each),
            "open": each.status in OPEN,
            "answerable": each.status in ("inquiry", "chargeback"),
            "text": _text(each),
        }
        for dispute_id, each in disputes.items()
    ]
    return msgspec.convert(rows, list[ShownDispute])


def _text(each: Dispute) -> str:
    amount, reason = money(each.amount_minor, each.currency), each.reason.replace("_", " ")
    fee = f" and a fee of {money(each.fee_minor, each.currency)}" if each.fee_minor else ""
    texts = {
        "inquiry": f"The bank asks about {amount} ({reason}); no money has moved",
        "chargeback": f"The bank has taken {amount}{fee} ({reason})",
        "submitted": f"The bank has our evidence about {amount} ({reason}) and decides",
        "won": f"The bank has decided for us: {amount} ({reason}) stays ours",
        "lost": f"The bank has given {amount} ({reason}) to the customer for good",
        "warning_closed": f"The bank asks no more about {amount} ({reason})",
    }
    return texts[each.status]
