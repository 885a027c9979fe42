"""The states of a dispute: pure, with time as data. docs.stripe.com/disputes/how-disputes-work.

An inquiry (`warning_...`) moves no money; a chargeback takes the money and a fee at once. What the
bank decides follows from the evidence, as in Stripe's test mode (docs.stripe.com/testing#disputes).
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

DAY_MS = 86_400_000
RESPOND_MS = 14 * DAY_MS
"""How long evidence can be sent. Stripe: 7 to 21 days, by the card's network."""
REVIEW_MS = 60 * DAY_MS
"""How long a bank takes over evidence that decides nothing; then it is lost (ours)."""
OPEN = frozenset(
    {"warning_needs_response", "warning_under_review", "needs_response", "under_review"}
)
WON, LOST, ESCALATED = "winning_evidence", "losing_evidence", "escalate_inquiry_evidence"
Status = Literal[
    "expected",
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
]


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute; `expected`: the customer has not complained yet."""

    id: str
    charge_id: str
    intent_id: str
    amount_minor: int
    currency: str
    reason: str
    status: Status = "expected"
    is_inquiry: bool = False
    evidence: dict[str, str] = {}
    metadata: dict[str, str] = {}
    submission_count: int = 0
    created_ms: int = 0
    due_by_ms: int = 0
    due_ms: int | None
    """When it changes by itself."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute after a change, what it does to the balance, and its events."""

    dispute: Dispute
    movement: Literal["", "dispute", "dispute_reversal"] = ""
    events: tuple[str, ...] = ()


CREATED, UPDATED, CLOSED = (f"charge.dispute.{verb}" for verb in ("created", "updated", "closed"))
WITHDRAWN, REINSTATED = "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"
"""docs.stripe.com/api/events/types"""


def begin(dispute: Dispute, amount_minor: int, now_ms: int) -> Change:
    """Return the dispute opened over what the charge still holds."""
    status = "warning_needs_response" if dispute.is_inquiry else "needs_response"
    opened = replace(
        dispute,
        status=status,
        amount_minor=amount_minor,
        created_ms=now_ms,
        due_by_ms=now_ms + RESPOND_MS,
        due_ms=now_ms + RESPOND_MS,
    )
    if dispute.is_inquiry:
        return Change(dispute=opened, events=(CREATED,))
    return Change(dispute=opened, movement="dispute", events=(CREATED, WITHDRAWN))


def respond(
    dispute: Dispute,
    evidence: Mapping[str, str],
    metadata: Mapping[str, str],
    submit_at_ms: int | None,
    review_ms: int,
) -> Change:
    """Return the dispute with evidence, submitted at `submit_at_ms` or only staged (None)."""
    staged = replace(
        dispute,
        evidence={**dispute.evidence, **evidence},
        metadata={**dispute.metadata, **metadata},
    )
    if submit_at_ms is None or not staged.evidence:
        return Change(dispute=staged, events=(UPDATED,))
    decides = _text(staged) in {WON, LOST, ESCALATED}
    submitted = replace(
        staged,
        status="warning_under_review" if dispute.is_inquiry else "under_review",
        submission_count=dispute.submission_count + 1,
        due_ms=submit_at_ms + (review_ms if decides else REVIEW_MS),
    )
    return Change(dispute=submitted, events=(UPDATED,))


def close(dispute: Dispute) -> Change:
    """Return the dispute given up: docs.stripe.com/api/disputes/close."""
    if dispute.is_inquiry:
        return _end(dispute, "warning_closed")
    return _end(dispute, "lost")


def fall_due(dispute: Dispute, now_ms: int) -> Change:
    """Return what the bank decides, or what a missed deadline means."""
    text = _text(dispute) if dispute.submission_count else ""
    if dispute.is_inquiry and text == ESCALATED:
        chargeback = replace(
            dispute,
            status="needs_response",
            is_inquiry=False,
            evidence={},
            submission_count=0,
            due_by_ms=now_ms + RESPOND_MS,
            due_ms=now_ms + RESPOND_MS,
        )
        return Change(dispute=chargeback, movement="dispute", events=(UPDATED, WITHDRAWN))
    if dispute.is_inquiry:
        return _end(dispute, "warning_closed")
    if text == WON:
        return Change(
            dispute=replace(dispute, status="won", due_ms=None),
            movement="dispute_reversal",
            events=(REINSTATED, CLOSED),
        )
    return _end(dispute, "lost")


def _end(dispute: Dispute, status: Literal["warning_closed", "lost"]) -> Change:
    return Change(dispute=replace(dispute, status=status, due_ms=None), events=(CLOSED,))


def _text(dispute: Dispute) -> str:
    return dispute.evidence.get("uncategorized_text", "").strip()


def is_refundable(dispute: Dispute) -> bool:
    """Return whether the charge can be refunded: no chargeback has its money."""
    return dispute.is_inquiry or dispute.status in {"expected", "won"}
