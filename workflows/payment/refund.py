"""Giving money back, in part or whole: each refund once, in sum never more than was charged.

Part of the payment workflow. A refund is asked for until the provider has taken it on, under one
key; one that takes too long becomes RefundOverdue once, for operators. The provider may hold it as
pending for days, and it may fail, even after it had succeeded: then it is a new refund under a key
of its own, `ROUNDS` times at most, and after that a case for an operator.
"""

from typing import Any, Literal

import msgspec

from workflows.payment import messages as facts
from workflows.payment import provider_messages as provider
from workflows.payment.charge import Bill
from workflows.shared.message import Message
from workflows.shared.retry import Wait

COMPENSATION = "compensation"
"""The refund key of a cancelled order's refund; returns use their own id."""
UNSHIPPED = "unshipped"
"""The refund key of what was taken for lines that have not left."""
KINDS: dict[str, facts.RefundKind] = {COMPENSATION: "compensation", UNSHIPPED: "unshipped"}
"""Refunds that are no return, by their key."""

ROUNDS = 2
"""Refunds of one key: Stripe fails one when the card is closed, and a second one as well."""

Fact = facts.PaymentRefunded | facts.PaymentRefundPending | facts.PaymentRefundFailed


def key_of(fact: Fact) -> str:
    """Return the refund key of what is emitted about a refund."""
    return fact.return_id or (UNSHIPPED if fact.kind == "unshipped" else COMPENSATION)


# --- state ------------------------------------------------------------------

Status = Literal[
    "owed", "asked", "pending", "given", "told", "failed", "case", "covered", "settled"
]


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund: due, requested, pending, refunded by the provider, emitted; or failed."""

    amount_minor: int
    status: Status = "owed"
    refund_id: str = ""
    """Of the refund of this round; empty while the provider has named none."""
    requested_at_ms: int = 0
    """Not later than it was first requested; 0 in rows older than this field."""
    asked_at_ms: int = 0
    """When it was first requested; 0 before that, and in rows older than this field."""
    reason: str = ""
    """Why it is not known, or has failed."""
    round: int = 0
    """How many refunds of this key have failed."""
    is_posted: bool = False
    """Whether the refund of this round was emitted as PaymentRefunded."""
    pending_emitted: bool = False
    """Whether the refund of this round was emitted as PaymentRefundPending."""
    case_emitted: bool = False
    by_hand: bool = False
    """An operator has paid it another way; `refund_id` says how."""
    at_provider: bool = False
    """An operator has found it at the provider, where somebody made it without a key of ours."""
    asks: int = 0
    """How often the provider was asked in this round."""
    hint: Literal["", "waits", "noticed", "asked"] = ""
    """The provider is to be asked what has become of it, or was."""
    overdue: Literal["", "noticed", "told"] = ""
    held_emitted: bool = False
    covered_minor: int = 0
    covered_emitted_minor: int = 0
    """What of it a bank has refunded, and was emitted; `amount_minor` is what is left."""
    refusals: int = 0
    is_refused: bool = False
    """How often the provider has refused it for a dispute, and whether at last."""


class Refunds(msgspec.Struct, frozen=True, kw_only=True):
    """All refunds of one charge, by refund key."""

    by_key: dict[str, Refund] = {}
    changed_ids: tuple[str, ...] = ()
    """Refunds that a webhook was about before an answer has named them."""
    wait: Wait = Wait()


# --- decide ----------------------------------------------------------------


def is_unmade(refund: Refund) -> bool:
    """Return whether a refund is due that the provider cannot have made: no answer is missing."""
    return refund.status == "owed" and (not refund.asks or refund.is_refused)


def left_minor(refunds: Refunds, bill: Bill) -> int:
    """Return what of the charge is neither refunded nor on its way, in minor units."""
    return bill.total_minor - sum(r.amount_minor + r.covered_minor for r in refunds.by_key.values())


def pending(
    refunds: Refunds, bill: Bill, payment_id: str, *, is_blocked: bool = False
) -> tuple[Message, ...]:
    """Return what to ask or emit of the refunds; `is_blocked`: nothing new is asked for."""
    messages: list[Message] = []
    for key, refund in refunds.by_key.items():
        if not (is_blocked and is_unmade(refund)):
            messages += _of_one(key, refund, bill, payment_id)
    return tuple(messages)


def _of_one(key: str, refund: Refund, bill: Bill, payment_id: str) -> list[Message]:
    about = about_refund(key, refund, bill, payment_id)
    about["refund_id"] = refund.refund_id
    found: list[Message] = []
    match refund.status:
        case "owed":
            found.append(_ask(key, refund, bill, payment_id))
        case "given":
            found.append(facts.PaymentRefunded(**about, by_hand=refund.by_hand))
        case "failed":
            found.append(
                facts.PaymentRefundFailed(
                    **about,
                    reason=refund.reason,
                    was_refunded=refund.is_posted,
                    tries_again=refund.round + 1 < ROUNDS,
                )
            )
        case "pending" if not refund.pending_emitted:
            found.append(facts.PaymentRefundPending(**about))
        case "case" if not refund.case_emitted:
            found.append(_complain(facts.RefundCaseOpened, key, refund, bill, payment_id))
        case _:
            pass
    if refund.hint == "noticed":
        found.append(_inquire(key, refund, bill, payment_id))
    if refund.overdue == "noticed" and refund.status != "given":
        found.append(_complain(facts.RefundOverdue, key, refund, bill, payment_id))
    return found


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


def _inquire(key: str, refund: Refund, bill: Bill, payment_id: str) -> Message:
    return provider.InquireRefund(
        transaction_id=bill.transaction_id,
        payment_id=payment_id,
        refund_key=key,
        refund_id=refund.refund_id,
        round=refund.round,
        attempt=refund.asks,
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
