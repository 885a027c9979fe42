"""The giftcard workflow as the platform reads it: its steps, its page, what must always hold.

What is on a card was paid, and each top-up has one end.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from workflows.giftcard.messages import (
    TopUpCancelled,
    TopUpCredited,
    TopUpRequested,
    credits_,
    giftcards,
)
from workflows.giftcard.process import PAYMENT_MS, TopUp, status_of, view

from workflows.analytics.topics import figures
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.payment.topics import payments
from workflows.shared.figures import LiveFigures
from workflows.shared.invariants import Check, Findings, Invariants, Moment, as_check
from workflows.shared.message import Message
from workflows.shared.money import money
from workflows.shared.workflow import Milestone, PendingStep, Step, View, Workflow, declare_workflow

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

# --- invariants ---------------------------------------------------------------


class TopUpFacts(msgspec.Struct, kw_only=True):
    """One top-up, in minor units and ms."""

    requested_ms: int = 0
    last_ms: int = 0
    paid_minor: int = 0
    credited_minor: int = 0
    ends: int = 0


Facts = dict[str, TopUpFacts]


def project(facts: Facts, message: Message, at_ms: int) -> None:
    """Add `message`, emitted at `at_ms`, to `facts`."""
    key = str(getattr(message, "top_up_id", "") or getattr(message, "transaction_id", ""))
    top_up = facts.setdefault(key, TopUpFacts())
    top_up.last_ms = max(top_up.last_ms, at_ms)
    match message:
        case TopUpRequested():
            top_up.requested_ms = at_ms
        case PaymentCompleted(amount_minor=amount_minor):
            top_up.paid_minor += amount_minor
        case PaymentRefunded(amount_minor=amount_minor):
            top_up.paid_minor -= amount_minor
        case TopUpCredited(amount_minor=amount_minor):
            top_up.credited_minor += amount_minor
            top_up.ends += 1
        case TopUpCancelled():
            top_up.ends += 1
        case _:
            pass


def judge(facts: Facts, moment: Moment) -> Findings:
    """Return what `facts` come to."""
    at_rest = {
        key: top_up
        for key, top_up in facts.items()
        if top_up.ends and key not in moment.pending and not moment.fresh(top_up.last_ms)
    }
    return Findings(
        checks=(_credits_are_paid(at_rest), _ends_once(at_rest)),
        figures={
            "top_ups": len(facts),
            "unpaid_credit_minor": sum(
                top_up.credited_minor - top_up.paid_minor for top_up in at_rest.values()
            ),
        },
        started=sum(bool(top_up.requested_ms) for top_up in facts.values()),
        unsettled=len(facts) - len(at_rest),
        summary=f"{len(facts)} top-ups",
        rows="",
    )


def _credits_are_paid(at_rest: Facts) -> Check:
    wrong = [key for key, top_up in at_rest.items() if top_up.credited_minor != top_up.paid_minor]
    return as_check("credits_are_paid", len(at_rest), wrong)


def _ends_once(at_rest: Facts) -> Check:
    wrong = [key for key, top_up in at_rest.items() if top_up.ends > 1 or not top_up.requested_ms]
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
