"""Refunds of a payment that its customer disputes: held, and settled where the bank has paid.

Part of `workflows/payment/refund.py`. A customer whose bank has given money back gets no refund on
top of it: what was lost covers refunds, in the order in which they were requested.
"""

from typing import Any

from msgspec.structs import replace

from workflows.payment import dispute, refund
from workflows.payment import dispute_messages as facts
from workflows.payment.charge import Bill
from workflows.payment.dispute import Disputes, blocks_refunds, lost_minor
from workflows.payment.dispute_decisions import inquiries
from workflows.payment.refund import about_refund, is_unmade
from workflows.payment.refund_answers import change
from workflows.payment.refund_parts import failed_minor
from workflows.payment.refund_state import Refunds
from workflows.shared.message import Message


def pending(
    refunds: Refunds, disputes: Disputes, bill: Bill, payment_id: str
) -> tuple[Message, ...]:
    """Return what to ask and emit of the refunds and disputes of money that is taken.

    What a dispute has come to decides about refunds: it is emitted before they are asked for.
    """
    is_blocked = any(map(blocks_refunds, disputes.by_id.values()))
    is_blocked = is_blocked or bool(_holding_parts(refunds, disputes, bill))
    return (
        dispute.pending(disputes, bill, payment_id)
        or _held(refunds, disputes, bill, payment_id)
        or refund.pending(refunds, bill, payment_id, is_blocked=is_blocked)
    )


def _held(refunds: Refunds, disputes: Disputes, bill: Bill, payment_id: str) -> tuple[Message, ...]:
    """Return what to emit of refunds that a dispute holds, or that one has settled."""
    messages: list[Message] = []
    # While the provider has said nothing of a dispute it may be none of ours, or an inquiry.
    holders = [key for key, each in disputes.by_id.items() if each.status and blocks_refunds(each)]
    asking = _holding_parts(refunds, disputes, bill)
    for key, each in refunds.by_key.items():
        about: dict[str, Any] = {**about_refund(key, each, bill, payment_id), "refund_key": key}
        covered_minor = each.covered_minor - each.covered_emitted_minor
        if covered_minor:
            about = {
                **about,
                "amount_minor": covered_minor,
                "left_minor": each.amount_minor + failed_minor(each),
            }
            messages.append(facts.RefundCoveredByDispute(**about, dispute_id=_lost_id(disputes)))
        elif is_unmade(each) and (holders or asking) and not each.held_emitted:
            held = facts.PaymentRefundHeld(**about, dispute_id=(holders or asking)[0])
            messages.append(replace(held, is_inquiry=not holders))
    return tuple(messages)


def _holding_parts(refunds: Refunds, disputes: Disputes, bill: Bill) -> list[str]:
    """Return the inquiries that hold refunds: none does when all of it goes back, by us alone."""
    going = [each for each in refunds.by_key.values() if each.status != "case" and not each.by_hand]
    parts = (part for each in going for part in each.parts if not part.by_hand)
    refunded_minor = sum(part.amount_minor for part in parts)
    due_minor = sum(each.amount_minor + each.back_minor for each in going)
    is_whole = refunded_minor + due_minor == bill.total_minor
    return [] if is_whole else list(inquiries(disputes))


def _lost_id(disputes: Disputes) -> str:
    lost = (key for key, each in disputes.by_id.items() if each.status == "lost")
    return next(lost, "")


def are_held(refunds: Refunds) -> bool:
    """Return whether some refund waits for a bank."""
    return any(each.held_emitted and is_unmade(each) for each in refunds.by_key.values())


def evolve(refunds: Refunds, message: Message) -> Refunds:
    """Return `refunds` after a fact of this module."""
    match message:
        case facts.PaymentRefundHeld(refund_key=key):
            return change(refunds, key, held_emitted=True)
        case facts.RefundCoveredByDispute(refund_key=key):
            after = refunds.by_key[key]
            status = "settled" if after.status == "covered" else after.status
            emitted_minor = after.covered_emitted_minor + message.amount_minor
            return change(refunds, key, status=status, covered_emitted_minor=emitted_minor)
        case _:
            return refunds


def cover(refunds: Refunds, disputes: Disputes) -> Refunds:
    """Return `refunds` without what banks have refunded already."""
    left_minor = lost_minor(disputes) - sum(each.covered_minor for each in refunds.by_key.values())
    by_key = dict(refunds.by_key)
    for key, each in refunds.by_key.items():
        covered_minor = min(left_minor, each.amount_minor)
        if not (each.status == "case" or is_unmade(each)) or covered_minor <= 0:
            continue
        left_minor -= covered_minor
        is_whole = covered_minor == each.amount_minor
        by_key[key] = replace(
            each,
            status="covered" if is_whole else each.status,
            hint="" if is_whole else each.hint,
            amount_minor=each.amount_minor - covered_minor,
            covered_minor=each.covered_minor + covered_minor,
        )
    return refunds if by_key == refunds.by_key else replace(refunds, by_key=by_key)
