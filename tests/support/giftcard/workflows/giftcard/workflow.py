"""The giftcard workflow as the platform reads it."""

from collections.abc import Mapping
from typing import Any

from workflows.giftcard.invariants import INVARIANTS
from workflows.giftcard.messages import TopUpCancelled, TopUpCredited, TopUpRequested
from workflows.giftcard.process import PAYMENT_MS, TopUp, status_of, view
from workflows.giftcard.topics import credits_, giftcards

from workflows.analytics.topics import figures
from workflows.payment.topics import payments
from workflows.shared.figures import LiveFigures
from workflows.shared.money import money
from workflows.shared.workflow import (
    Milestone,
    PendingStep,
    Step,
    View,
    Workflow,
    declare_workflow,
)

STEPS = (
    Step(name="charge", awaits="the top-up to be paid", otherwise="it is cancelled"),
    Step(name="verdict", awaits="a verdict on the payment", otherwise="it is refunded"),
    Step(name="compensation", awaits="its money to go back"),
)
MILESTONES = (
    Milestone(name="requested", figure="started", step="charge", awaits="the payment"),
    Milestone(name="charged", figure="payments", step="verdict", awaits="the verdict"),
    Milestone(name="credited", figure="credited", step="", awaits=""),
    Milestone(name="cancelled", figure="cancelled", step="compensation", awaits="the refund"),
)
FIGURES = LiveFigures(
    topic=figures,
    started="started",
    ended=("credited", "cancelled"),
    totals=(
        ("requested", "started"),
        ("credited", "credited"),
        ("cancelled", "cancelled"),
        ("open", "open"),
        ("loaded", "revenue_minor"),
    ),
)


def waits(state: TopUp, _now_ms: int) -> tuple[tuple[str, str], ...]:
    """Return for which of STEPS an open top-up waits."""
    status = status_of(state)
    if status not in VIEW.open_statuses:
        return ()
    paid = "verdict" if state.charged_at_ms else "charge"
    return (("compensation" if state.cause else paid, status),)


def pending_steps(state: TopUp) -> tuple[PendingStep, ...]:
    """Return what is waited for."""
    return tuple(
        PendingStep(
            what=step.awaits,
            since_ms=state.refused_at_ms or state.requested_at_ms,
            until_ms=(state.refused_at_ms or state.requested_at_ms) + PAYMENT_MS,
            then=step.otherwise or "an operator has to look into it",
        )
        for name, _ in waits(state, 0)
        for step in STEPS
        if step.name == name
    )


def headline(facts: Mapping[str, Any]) -> str:
    """Return how much goes on which card."""
    return f"{money(facts['amount_minor'], facts['currency'])} on card {facts['card_id']}"


def outcome(end: TopUpCredited | TopUpCancelled) -> str:
    """Return `credited`, or why it was cancelled."""
    return end.cause if isinstance(end, TopUpCancelled) else "credited"


VIEW = View(
    open_statuses=("waiting", "compensating"),
    facts=view,
    shown=lambda state, _now_ms: {**view(state), "status": status_of(state)},
    headline=headline,
    began=("requested", "requested_at_ms"),
    begun=lambda state: bool(state.top_up_id),
    waits=waits,
    brief=lambda state: state,
    pending_steps=pending_steps,
    retried_calls=lambda _rows: (),
    presets={"refused_credit": lambda state: state.cause == "credit_refused"},
    milestones=MILESTONES,
    id_topics=(giftcards, credits_, payments),
    person_table="giftcard",
    person_of=lambda row: str(row.get("customer_id") or ""),
)

GIFTCARD = declare_workflow(
    Workflow(
        name="giftcard",
        started_by=TopUpRequested,
        key="top_up_id",
        table="giftcard",
        ends={"credited": TopUpCredited, "cancelled": TopUpCancelled},
        outcome=outcome,
        steps=STEPS,
        invariants=INVARIANTS,
        view=VIEW,
        figures=FIGURES,
    )
)
