"""Judging a payment: ask every party how it stands, gather the answers, say what follows.

One row an order. The parties keep rows of their own (`workflows/fraud/risk.py`); what their answers
come to is in `workflows/fraud/verdict.py`. A label that comes later stops what can still be
stopped, and becomes a case where it cannot.
"""

from functools import partial
from typing import Literal

from workflows.fraud.entity import met_tag
from workflows.fraud.entity_messages import CheckEntity, Kind, LabelEntity, NoteDecline
from workflows.fraud.messages import (
    CaseClosed,
    CaseOpened,
    FraudConfirmed,
    FraudDetected,
    FraudVerdict,
    PaymentLabelled,
)
from workflows.fraud.state import INITIAL, Checked, evolve
from workflows.fraud.verdict import Judge, parties_of, verdict_on
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.shared.message import Message
from workflows.shared.pending import settle

__all__ = ["INITIAL", "Checked", "decide", "evolve"]

JUDGE = Judge()
"""Of a house that knows no model and has only the rules it began with."""

# --- judgment ----------------------------------------------------------------


def decide(
    memory: Checked, heard: Message, at_ms: int, judge: Judge = JUDGE
) -> tuple[Message, ...]:
    """Return what to ask and tell after `heard`; heard again, it owes nothing more."""
    owed = partial(_owed, judge=judge, at_ms=at_ms)
    return settle(heard, memory, at_ms, evolve=evolve, owed=owed)


def _owed(memory: Checked, *, judge: Judge, at_ms: int) -> tuple[Message, ...]:
    parties = _parties(memory.paid or memory.declined)
    if memory.paid is None:
        return _declined(memory, parties)
    if memory.verdict is None:
        if parties and not memory.asked:
            return _questions(memory.paid, parties, judge)
        if set(parties) > {answer.kind for answer in memory.answers}:
            return ()
        return _judged(memory, memory.paid, parties, judge, at_ms)
    if memory.label is not None and parties and not memory.label_told:
        return _labels(memory.label, parties)
    return _followed(memory, memory.verdict, memory.label) if memory.label else ()


def _declined(memory: Checked, parties: dict[Kind, str]) -> tuple[Message, ...]:
    tried = memory.declined
    if tried is None or memory.asked:
        return ()
    return tuple(
        NoteDecline(
            order_id=tried.order_id,
            entity=f"{kind}:{name}",
            kind=kind,
            amount_minor=tried.amount_minor,
            at_ms=tried.ordered_at_ms,
            met=_met(parties, kind),
        )
        for kind, name in parties.items()
    )


def _questions(
    paid: PaymentCompleted, parties: dict[Kind, str], judge: Judge
) -> tuple[Message, ...]:
    device = parties.get("device")
    return tuple(
        CheckEntity(
            order_id=paid.order_id,
            entity=f"{kind}:{name}",
            kind=kind,
            amount_minor=paid.amount_minor,
            at_ms=paid.ordered_at_ms,
            met=_met(parties, kind),
            device=met_tag("device", device) if device else "",
            latitude=paid.origin.latitude,
            longitude=paid.origin.longitude,
            wants=tuple(each for each in judge.book.wants if each.of == kind),
        )
        for kind, name in parties.items()
    )


def _judged(
    memory: Checked, paid: PaymentCompleted, parties: dict[Kind, str], judge: Judge, at_ms: int
) -> tuple[Message, ...]:
    verdict = verdict_on(paid, parties, memory.answers, judge, at_ms)
    if memory.label is not None and memory.label.fraud:
        known = f"known as fraud by {memory.label.source}"
        verdict = FraudDetected(
            order_id=verdict.order_id,
            score=1.0,
            reasons=(known, *verdict.reasons),
            rules_version=verdict.rules_version,
            judgment=verdict.judgment,
        )
    if verdict.judgment is None or verdict.judgment.outcome != "review":
        return (verdict,)
    opened = CaseOpened(
        order_id=paid.order_id,
        case="review",
        score=verdict.score,
        reasons=verdict.reasons,
        opened_at_ms=at_ms,
    )
    return (verdict, opened)


def _labels(label: PaymentLabelled, parties: dict[Kind, str]) -> tuple[Message, ...]:
    return tuple(
        LabelEntity(
            order_id=label.order_id,
            entity=f"{kind}:{name}",
            kind=kind,
            fraud=label.fraud,
            at_ms=label.known_at_ms,
        )
        for kind, name in parties.items()
    )


def _followed(
    memory: Checked, verdict: FraudVerdict, label: PaymentLabelled
) -> tuple[Message, ...]:
    """Return what a label asks for once the payment is judged: to stop the goods, or a case."""
    order_id = label.order_id
    is_looked_at = label.source == "analyst" and label.known_at_ms > memory.case_at_ms
    if memory.case and is_looked_at:
        return (_closed(memory.case, label),)
    if not label.fraud or isinstance(verdict, FraudDetected):
        return ()
    if memory.goods == "delivered" and not memory.late_told:
        reason = f"known as fraud by {label.source} after the goods were delivered"
        return (
            CaseOpened(
                order_id=order_id,
                case="late",
                score=verdict.score,
                reasons=(reason, *verdict.reasons),
                opened_at_ms=label.known_at_ms,
            ),
        )
    if not memory.goods and not memory.confirmed_told:
        return (FraudConfirmed(order_id=order_id, source=label.source, reason=label.note),)
    return ()


def _closed(case: Literal["review", "late"], label: PaymentLabelled) -> Message:
    return CaseClosed(
        order_id=label.order_id, case=case, fraud=label.fraud, by=label.by, note=label.note
    )


def _parties(payment: PaymentCompleted | PaymentFailed | None) -> dict[Kind, str]:
    if payment is None:
        return {}
    origin = payment.origin
    return parties_of(
        payment.customer_id,
        origin.card_id,
        origin.terminal_id,
        origin.device_id,
        origin.address_id,
    )


def _met(parties: dict[Kind, str], own: Kind) -> tuple[str, ...]:
    return tuple(met_tag(kind, name) for kind, name in parties.items() if kind != own)
