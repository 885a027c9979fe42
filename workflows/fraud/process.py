"""Judges a payment: asks every entity for its history, gathers the answers, emits the verdict.

One row an order. The entities keep rows of their own (`workflows/fraud/risk.py`); what their
answers come to is in `workflows/fraud/verdict.py`. A label that comes later stops what can still be
stopped, and becomes a case where it cannot.
"""

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
from workflows.fraud.state import INITIAL, PaymentCheck, evolve
from workflows.fraud.verdict import Judge, entities_of, verdict_on
from workflows.payment.capture_messages import PaymentAuthorized
from workflows.payment.messages import PaymentCompleted, PaymentFailed
from workflows.shared.message import Message

__all__ = ["INITIAL", "PaymentCheck", "evolve", "pending"]

# --- decide ----------------------------------------------------------------


def pending(state: PaymentCheck, at_ms: int, judge: Judge) -> tuple[Message, ...]:
    """Return what to ask the entities, and what to emit of the payment, by the rules of `judge`."""
    entities = _entities(state.paid or state.declined)
    if state.paid is None:
        return _declined(state, entities, judge)
    if state.verdict is None:
        if entities and not state.asked:
            return _questions(state.paid, entities, judge)
        if set(entities) > {answer.kind for answer in state.answers}:
            return ()
        return _judged(state, state.paid, entities, judge, at_ms)
    if state.label is not None and entities and not state.label_emitted:
        return _labels(state.label, entities)
    return _followed(state, state.verdict, state.label) if state.label else ()


def _declined(state: PaymentCheck, entities: dict[Kind, str], judge: Judge) -> tuple[Message, ...]:
    tried = state.declined
    if tried is None or state.asked:
        return ()
    return tuple(
        NoteDecline(
            transaction_id=tried.transaction_id,
            entity=f"{kind}:{name}",
            kind=kind,
            amount_minor=judge.worth_minor(tried.amount_minor, tried.currency),
            at_ms=tried.ordered_at_ms,
            met=_met_tags(entities, kind),
        )
        for kind, name in entities.items()
    )


def _questions(
    paid: PaymentCompleted | PaymentAuthorized, entities: dict[Kind, str], judge: Judge
) -> tuple[Message, ...]:
    device = entities.get("device")
    return tuple(
        CheckEntity(
            transaction_id=paid.transaction_id,
            entity=f"{kind}:{name}",
            kind=kind,
            amount_minor=judge.worth_minor(paid.amount_minor, paid.currency),
            at_ms=paid.ordered_at_ms,
            met=_met_tags(entities, kind),
            device=met_tag("device", device) if device else "",
            latitude=paid.origin.latitude,
            longitude=paid.origin.longitude,
            wants=tuple(each for each in judge.book.wants if each.of == kind),
        )
        for kind, name in entities.items()
    )


def _judged(
    state: PaymentCheck,
    paid: PaymentCompleted | PaymentAuthorized,
    entities: dict[Kind, str],
    judge: Judge,
    at_ms: int,
) -> tuple[Message, ...]:
    verdict = verdict_on(paid, entities, state.answers, judge, at_ms)
    if state.label is not None and state.label.fraud:
        reason = f"known as fraud by {state.label.source}"
        verdict = FraudDetected(
            transaction_id=verdict.transaction_id,
            score=1.0,
            reasons=(reason, *verdict.reasons),
            rules_version=verdict.rules_version,
            basis=verdict.basis,
        )
    if verdict.basis is None or verdict.basis.outcome != "review":
        return (verdict,)
    registered = CaseOpened(
        transaction_id=paid.transaction_id,
        case="review",
        score=verdict.score,
        reasons=verdict.reasons,
        opened_at_ms=at_ms,
    )
    return (verdict, registered)


def _labels(label: PaymentLabelled, entities: dict[Kind, str]) -> tuple[Message, ...]:
    return tuple(
        LabelEntity(
            transaction_id=label.transaction_id,
            entity=f"{kind}:{name}",
            kind=kind,
            fraud=label.fraud,
            at_ms=label.known_at_ms,
        )
        for kind, name in entities.items()
    )


def _followed(
    state: PaymentCheck, verdict: FraudVerdict, label: PaymentLabelled
) -> tuple[Message, ...]:
    """Return what follows a label once the payment is judged: FraudConfirmed, or a case."""
    transaction_id = label.transaction_id
    is_reviewed = label.source == "analyst" and label.known_at_ms > state.case_at_ms
    if state.case and is_reviewed:
        return (_closed(state.case, label),)
    if not label.fraud or isinstance(verdict, FraudDetected):
        return ()
    if state.goods == "delivered" and not state.late_emitted:
        reason = f"known as fraud by {label.source} after the items were delivered"
        return (
            CaseOpened(
                transaction_id=transaction_id,
                case="late",
                score=verdict.score,
                reasons=(reason, *verdict.reasons),
                opened_at_ms=label.known_at_ms,
            ),
        )
    if not state.goods and not state.confirmed_emitted:
        return (
            FraudConfirmed(transaction_id=transaction_id, source=label.source, reason=label.note),
        )
    return ()


def _closed(case: Literal["review", "late"], label: PaymentLabelled) -> Message:
    return CaseClosed(
        transaction_id=label.transaction_id,
        case=case,
        fraud=label.fraud,
        by=label.by,
        note=label.note,
    )


def _entities(
    payment: PaymentCompleted | PaymentAuthorized | PaymentFailed | None,
) -> dict[Kind, str]:
    if payment is None:
        return {}
    origin = payment.origin
    return entities_of(
        payment.customer_id,
        origin.card_id,
        origin.terminal_id,
        origin.device_id,
        origin.address_id,
    )


def _met_tags(entities: dict[Kind, str], own: Kind) -> tuple[str, ...]:
    return tuple(met_tag(kind, name) for kind, name in entities.items() if kind != own)
