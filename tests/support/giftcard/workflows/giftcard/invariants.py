"""What must always hold of top-ups: what is on a card was paid, and each has one end."""

import msgspec
from workflows.giftcard.messages import TopUpCancelled, TopUpCredited, TopUpRequested
from workflows.giftcard.topics import credits_, giftcards

from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.payment.topics import payments
from workflows.shared.invariants import Check, Findings, Invariants, Moment, as_check
from workflows.shared.message import Message


class Known(msgspec.Struct, kw_only=True):
    """One top-up, in minor units and ms."""

    requested_ms: int = 0
    last_ms: int = 0
    paid_minor: int = 0
    credited_minor: int = 0
    ends: int = 0


Facts = dict[str, Known]


def project(facts: Facts, message: Message, at_ms: int) -> None:
    """Add `message`, emitted at `at_ms`, to `facts`."""
    key = str(getattr(message, "top_up_id", "") or getattr(message, "transaction_id", ""))
    known = facts.setdefault(key, Known())
    known.last_ms = max(known.last_ms, at_ms)
    match message:
        case TopUpRequested():
            known.requested_ms = at_ms
        case PaymentCompleted(amount_minor=amount_minor):
            known.paid_minor += amount_minor
        case PaymentRefunded(amount_minor=amount_minor):
            known.paid_minor -= amount_minor
        case TopUpCredited(amount_minor=amount_minor):
            known.credited_minor += amount_minor
            known.ends += 1
        case TopUpCancelled():
            known.ends += 1
        case _:
            pass


def judge(facts: Facts, moment: Moment) -> Findings:
    """Return what `facts` come to."""
    at_rest = {
        key: known
        for key, known in facts.items()
        if known.ends and key not in moment.pending and not moment.fresh(known.last_ms)
    }
    return Findings(
        checks=(_credits_are_paid(at_rest), _ends_once(at_rest)),
        figures={
            "top_ups": len(facts),
            "unpaid_credit_minor": sum(
                known.credited_minor - known.paid_minor for known in at_rest.values()
            ),
        },
        started=sum(bool(known.requested_ms) for known in facts.values()),
        unsettled=len(facts) - len(at_rest),
        summary=f"{len(facts)} top-ups",
        rows="",
    )


def _credits_are_paid(at_rest: Facts) -> Check:
    wrong = [key for key, known in at_rest.items() if known.credited_minor != known.paid_minor]
    return as_check("credits_are_paid", len(at_rest), wrong)


def _ends_once(at_rest: Facts) -> Check:
    wrong = [key for key, known in at_rest.items() if known.ends > 1 or not known.requested_ms]
    return as_check("top_ups_end_once", len(at_rest), wrong)


INVARIANTS = Invariants(
    topics=(giftcards, credits_, payments),
    services=frozenset({"giftcard", "payment"}),
    facts=dict,
    project=project,
    rows={},
    judge=judge,
    balances=("unpaid_credit_minor",),
    made_of=("top_ups",),
)
