"""Parts of refunds that came short: a part may fail later, and then it is due again.

Part of `workflows/payment/refund.py`. A part that has failed is asked for once more as a round of
its refund, together with whatever else is due of it by then; where an operator decides about the
rest already, or it was asked for often enough, it is one case of all that.
"""

import re
from typing import Any

from msgspec.structs import replace

from workflows.payment import provider_messages as provider
from workflows.payment.refund_state import ROUNDS, Part, Refund

UNPOSTED = re.compile(r"refunded ([1-9]\d*), asked for \d+")
"""The reason of a case of a version that opened one of all, and posted nothing of it."""

UNFINISHED = ("asked", "pending", "given", "failed", "covered")
"""What is due again waits until the round that is under way has come to an end, and is emitted."""


def part_of(refund: Refund) -> Part:
    """Return what was refunded in this round, as a part: a webhook about it is not forgotten."""
    return Part(
        refund_id=refund.refund_id,
        amount_minor=refund.amount_minor,
        round=refund.round,
        by_hand=refund.by_hand,
        at_provider=refund.at_provider,
        asks=refund.asks,
        hint=refund.hint,
    )


def next_round(refund: Refund, at_ms: int) -> Refund:
    """Return the refund of the next round; of one that had been paid, late by its own time."""
    is_anew = refund.is_posted or refund.status == "told"
    return Refund(
        amount_minor=refund.amount_minor,
        requested_at_ms=at_ms,
        asked_at_ms=0 if is_anew else refund.asked_at_ms,
        reason=refund.reason,
        round=refund.round + 1,
        overdue="" if is_anew else refund.overdue,
        covered_minor=refund.covered_minor,
        covered_emitted_minor=refund.covered_emitted_minor,
        parts=refund.parts,
        back_minor=refund.back_minor,
        back_is_case=refund.back_is_case,
    )


def next_case(refund: Refund, at_ms: int) -> Refund:
    """Return a case of the next round: an operator has decided about this one already."""
    return replace(next_round(refund, at_ms), status="case")


def unposted_minor(refund: Refund) -> int:
    """Return what the provider has refunded of a case whose row is older than parts, or 0."""
    short = UNPOSTED.fullmatch(refund.reason)
    if refund.status != "case" or not refund.refund_id or not short:
        return 0
    paid_minor = int(short[1])
    return paid_minor if paid_minor < refund.amount_minor else 0


def due_minor(refund: Refund, reference: str) -> int:
    """Return what a case says is to be refunded by `reference`, such as the provider's own id."""
    paid_minor = unposted_minor(refund)
    return paid_minor if paid_minor and reference == refund.refund_id else refund.amount_minor


# --- what is emitted -----------------------------------------------------------


def tries_again(refund: Refund, part: Part) -> bool:
    """Return whether the provider is asked once more for a part that has failed."""
    return refund.status != "case" and part.round + 1 < ROUNDS and not part.at_provider


def failed_minor(refund: Refund) -> int:
    """Return what of its parts is back, or is about to be emitted as that."""
    return refund.back_minor + sum(part.amount_minor for part in refund.parts if part.is_failed)


def left_of_round_minor(refund: Refund) -> int:
    """Return what of this round has never been emitted as refunded."""
    is_failing = refund.status == "failed" and refund.is_posted
    is_refunded = refund.status in ("told", "settled") or is_failing
    return refund.short_minor + (0 if is_refunded else refund.amount_minor)


# --- evolve --------------------------------------------------------------------


def change_part(refund: Refund, refund_id: str, **changed: Any) -> Refund:
    """Return `refund` with fields of one of its parts changed."""
    parts = (
        replace(part, **changed) if part.refund_id == refund_id else part for part in refund.parts
    )
    return replace(refund, parts=tuple(parts))


def part_by_id(refund: Refund, refund_id: str) -> Part | None:
    """Return the part that is this refund of the provider, or None."""
    matches = (part for part in refund.parts if part.refund_id == refund_id and not part.by_hand)
    return next(matches, None)


def inquired(refund: Refund, part: Part) -> Refund:
    """Return `refund` once the provider is asked about a part."""
    return change_part(refund, part.refund_id, hint="asked", asks=part.asks + 1)


def noticed(refund: Refund) -> Refund:
    """Return `refund` once its parts that a webhook was about are to be asked about."""
    for part in refund.parts:
        if part.hint:
            refund = change_part(refund, part.refund_id, hint="noticed")
    return refund


def answered_part(refund: Refund, answer: Any) -> Refund:
    """Return `refund` after the provider's answer about a part; `RefundUnknown` says nothing."""
    part = part_by_id(refund, getattr(answer, "refund_id", ""))
    if part is None or part.round != answer.round or part.is_failed:
        return refund
    match answer:
        case provider.RefundFailed(reason=reason):
            return change_part(refund, part.refund_id, hint="", is_failed=True, reason=reason)
        case provider.RefundSucceeded() | provider.RefundPending() if (
            part.hint == "asked" and answer.attempt == part.asks - 1
        ):
            return change_part(refund, part.refund_id, hint="")
        case _:
            return refund


def came_back(refund: Refund, part: Part) -> Refund:
    """Return `refund` once PaymentRefundFailed is emitted for a part: it is due again."""
    return replace(
        refund,
        parts=tuple(each for each in refund.parts if each != part),
        back_minor=refund.back_minor + part.amount_minor,
        back_is_case=refund.back_is_case or not tries_again(refund, part),
        reason=part.reason,
    )


def due_again(refund: Refund, at_ms: int) -> Refund:
    """Return `refund` with what has come back due again, as soon as no round is under way."""
    is_asked = refund.status == "owed" and refund.asks and not refund.is_refused
    if not refund.back_minor or refund.status in UNFINISHED or is_asked:
        return refund
    due: dict[str, Any] = {"back_minor": 0, "back_is_case": False}
    if refund.status in ("told", "settled"):
        paid = (part_of(refund),) if refund.amount_minor else ()
        after = replace(
            next_round(refund, at_ms), **due, parts=(*refund.parts, *paid),
            amount_minor=refund.back_minor,
        )  # fmt: skip
        return replace(after, status="case") if refund.back_is_case else after
    # An operator may just be deciding about less: that is another round than what waits now.
    more = next_case(refund, at_ms) if refund.case_emitted else refund
    due |= {"amount_minor": refund.amount_minor + refund.back_minor, "held_emitted": False}
    return replace(more, **due, status="case" if refund.back_is_case else more.status)
