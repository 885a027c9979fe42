"""Verdicts and what comes after, on `fraud`, `fraud.labels` and `fraud.cases`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workflows.shared.limits import Milliseconds, Name, NameIfAny, Text
from workflows.shared.message import Message

Score = Annotated[float, Meta(ge=0, le=1)]
Outcome = Literal["allow", "review", "block"]


class Contribution(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How far one figure moved the score of the model, in log odds."""

    figure: str
    value: float
    weight: float


class VerdictBasis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a verdict was made of: enough to make it again."""

    outcome: Outcome
    decided_by: str = ""
    """The rule that decided, `model`, or nothing."""
    rules: tuple[str, ...] = ()
    """Active rules that hit."""
    unknown: tuple[str, ...] = ()
    """Active rules that could not be answered."""
    snoozed: tuple[str, ...] = ()
    model_score: Score | None = None
    """The calibrated probability of fraud; None when the model does not know such payments."""
    model_version: str = ""
    rules_version: str = ""
    contributions: tuple[Contribution, ...] = ()
    snapshot: dict[str, float] = {}
    """Every figure that was used."""
    aggregates: dict[str, float] = {}
    shadow_rules: tuple[str, ...] = ()
    """Rules on trial that would have hit."""
    shadow_score: Score | None = None
    shadow_version: str = ""
    """Of the model on trial."""
    rates_date: str = ""
    """Of the rates by which the amount was compared; empty: it was of the reference currency."""


class FraudDetected(Message, tag="payflow.fraud.detected.v1", frozen=True, kw_only=True):
    """Not to be shipped; `reasons` are for people to read."""

    transaction_id: Name = msgspec.field(name="order_id")
    score: Score
    reasons: tuple[str, ...]
    rules_version: str
    basis: VerdictBasis | None = msgspec.field(name="judgment", default=None)
    """None: emitted by the first version."""


class FraudCleared(Message, tag="payflow.fraud.cleared.v1", frozen=True, kw_only=True):
    """May be shipped; an `outcome` of review says that a review is open meanwhile."""

    transaction_id: Name = msgspec.field(name="order_id")
    score: Score
    reasons: tuple[str, ...] = ()
    rules_version: str
    basis: VerdictBasis | None = msgspec.field(name="judgment", default=None)


class FraudConfirmed(Message, tag="payflow.fraud.confirmed.v1", frozen=True, kw_only=True):
    """Known as fraud after it was cleared: to be stopped where it still can be."""

    transaction_id: Name = msgspec.field(name="order_id")
    source: Literal["chargeback", "analyst"]
    reason: Text = ""


FraudVerdict = FraudDetected | FraudCleared
FraudMessage = FraudDetected | FraudCleared | FraudConfirmed


class PaymentLabelled(Message, tag="payflow.fraud.payment_labelled.v1", frozen=True, kw_only=True):
    """What a chargeback or an analyst says of a payment; the newest message counts."""

    transaction_id: Name = msgspec.field(name="order_id")
    fraud: bool
    source: Literal["chargeback", "analyst"]
    known_at_ms: Milliseconds
    """From when on figures may use it."""
    by: NameIfAny = ""
    note: Text = ""


class CaseOpened(Message, tag="payflow.fraud.case_opened.v1", frozen=True, kw_only=True):
    """A payment needs a review: before the fact (`review`) or after it (`late`, items are gone)."""

    transaction_id: Name = msgspec.field(name="order_id")
    case: Literal["review", "late"]
    score: Score = 0.0
    reasons: tuple[str, ...] = ()
    opened_at_ms: Milliseconds = 0


class CaseClosed(Message, tag="payflow.fraud.case_closed.v1", frozen=True, kw_only=True):
    """What became of it."""

    transaction_id: Name = msgspec.field(name="order_id")
    case: Literal["review", "late"]
    fraud: bool
    by: NameIfAny = ""
    note: Text = ""


CaseMessage = CaseOpened | CaseClosed
