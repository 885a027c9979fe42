"""Giving money back, in part or whole: each refund once, in sum never more than was charged.

Part of the payment workflow. A refund is asked for until the provider has taken it on, under one
key; one that takes too long becomes RefundOverdue once, for operators. The provider may hold it as
pending for days, and it may fail, even after it had succeeded: then it is a new refund under a key
of its own, `ROUNDS` times at most, and after that a case for an operator.
"""

from typing import Any

from workflows.payment import messages as facts
from workflows.payment import provider_messages as provider
from workflows.payment.charge import Bill
from workflows.payment.refund_parts import failed_minor, left_of_round_minor, tries_again
from workflows.payment.refund_state import ROUNDS, Part, Refund, Refunds, paid_minor
from workflows.shared.message import Message

COMPENSATION = "compensation"
"""The refund key of a cancelled order's refund; returns use their own id."""
UNSHIPPED = "unshipped"
"""The refund key of what was taken for lines that have not left."""
KINDS: dict[str, facts.RefundKind] = {COMPENSATION: "compensation", UNSHIPPED: "unshipped"}
"""Refunds that are not returns, by their key."""

Fact = facts.PaymentRefunded | facts.PaymentRefundPending | facts.PaymentRefundFailed


def key_of(fact: Fact) -> str:
    """Return the refund key of what is emitted about a refund."""
    return fact.return_id or (UNSHIPPED if fact.kind == "unshipped" else COMPENSATION)


# --- decide ----------------------------------------------------------------


def is_unmade(refund: Refund) -> bool:
    """Return whether a refund is due that the provider cannot have made: no answer is missing."""
    return refund.status == "owed" and (not refund.asks or refund.is_refused)


def left_minor(refunds: Refunds, bill: Bill) -> int:
    """Return what of the charge is neither refunded nor on its way, in minor units."""
    return bill.total_minor - sum(
        each.amount_minor + each.short_minor + each.back_minor + paid_minor(each)
        for each in refunds.by_key.values()
    )


def pending(
    refunds: Refunds, bill: Bill, payment_id: str, *, is_blocked: bool = False
) -> tuple[Message, ...]:
    """Return what to ask or emit of the refunds; `is_blocked`: nothing new is asked for."""
    messages: list[Message] = []
    for key, refund in refunds.by_key.items():
        messages += _of_parts(key, refund, bill, payment_id)
        if not (is_blocked and is_unmade(refund)):
            messages += _of_one(key, refund, bill, payment_id)
    return tuple(messages)


def _of_one(key: str, refund: Refund, bill: Bill, payment_id: str) -> list[Message]:
    about = about_refund(key, refund, bill, payment_id)
    about["refund_id"] = refund.refund_id
    messages: list[Message] = []
    match refund.status:
        case "owed":
            messages.append(_ask(key, refund, bill, payment_id))
        case "given":
            about["left_minor"] = refund.short_minor + failed_minor(refund)
            messages.append(facts.PaymentRefunded(**about, by_hand=refund.by_hand))
        case "failed":
            messages.append(
                facts.PaymentRefundFailed(
                    **about,
                    reason=refund.reason,
                    was_refunded=refund.is_posted,
                    tries_again=refund.round + 1 < ROUNDS,
                    left_minor=failed_minor(refund),
                )
            )
        case "pending" if not refund.pending_emitted:
            messages.append(facts.PaymentRefundPending(**about))
        case "case" if not refund.case_emitted:
            messages.append(_complain(facts.RefundCaseOpened, key, refund, bill, payment_id))
        case _:
            pass
    if refund.hint == "noticed":
        messages.append(_inquire(key, refund, refund, bill, payment_id))
    if refund.overdue == "noticed" and refund.status != "given":
        messages.append(_complain(facts.RefundOverdue, key, refund, bill, payment_id))
    return messages


def _of_parts(key: str, refund: Refund, bill: Bill, payment_id: str) -> list[Message]:
    """Return what to ask and emit of what was refunded before this round."""
    messages: list[Message] = []
    # Of several that have failed the first one ends that all of the refund was given.
    left_minor = refund.back_minor + left_of_round_minor(refund)
    for part in refund.parts:
        if part.hint == "noticed":
            messages.append(_inquire(key, part, refund, bill, payment_id))
        if part.is_failed:
            about = about_refund(key, refund, bill, payment_id)
            about |= {"amount_minor": part.amount_minor, "refund_id": part.refund_id}
            messages.append(
                facts.PaymentRefundFailed(
                    **about,
                    reason=part.reason,
                    was_refunded=True,
                    tries_again=tries_again(refund, part),
                    left_minor=left_minor,
                )
            )
            left_minor += part.amount_minor
    return messages


def _ask(key: str, refund: Refund, bill: Bill, payment_id: str) -> Message:
    return provider.RefundCharge(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_key=key,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        attempt=refund.asks,
        asked_at_ms=refund.requested_at_ms,
        round=refund.round,
        refusals=refund.refusals,
    )


def _inquire(
    key: str, target: Refund | Part, refund: Refund, bill: Bill, payment_id: str
) -> Message:
    return provider.InquireRefund(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_key=key,
        refund_id=target.refund_id,
        round=target.round,
        attempt=target.asks,
        asked_at_ms=refund.requested_at_ms,
    )


def about_refund(key: str, refund: Refund, bill: Bill, payment_id: str) -> dict[str, Any]:
    """Return the fields that every fact about a refund has."""
    return {
        "transaction_id": bill.transaction_id,
        "payment_id": payment_id,
        "amount_minor": refund.amount_minor,
        "currency": bill.currency,
        "kind": KINDS.get(key, "return"),
        "return_id": "" if key in KINDS else key,
    }


def _complain(
    fact: type[facts.RefundOverdue | facts.RefundCaseOpened],
    key: str,
    refund: Refund,
    bill: Bill,
    payment_id: str,
) -> Message:
    return fact(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_key=key,
        amount_minor=refund.amount_minor,
        currency=bill.currency,
        asked_at_ms=refund.asked_at_ms,
        reason=refund.reason or "no answer",
    )
