"""The shapes of what fraud answers: cases, verdicts, rules, back-tests, trials."""

from typing import TypedDict

from app.fraud.analysis.backtest import Backtest
from app.fraud.analysis.trial import Trial
from workflows.fraud.rulebook import Rule
from workflows.shared.personal import Personal


class Contribution(TypedDict):
    """How far one figure moved the score of the model, in log odds."""

    label: str
    figure: str
    value: float
    weight: float


class ShownFigure(TypedDict):
    """A figure that was used, by the name that programs and that people give it."""

    figure: str
    label: str
    value: float


class Paid(TypedDict):
    """The payment that was judged."""

    amount_minor: int
    currency: str
    country: str
    ordered_at_ms: int


class ShownLabel(TypedDict):
    """What somebody has said about the payment since."""

    fraud: bool
    source: str
    by: str
    note: str
    at_ms: int


class JudgedFacts(TypedDict):
    """What a verdict was made of: rules, scores and figures."""

    outcome: str
    decided_by: str
    rules: tuple[str, ...]
    unknown: tuple[str, ...]
    snoozed: tuple[str, ...]
    rules_version: str
    model_version: str
    model_score: float | None
    shadow_version: str
    shadow_score: float | None
    shadow_rules: tuple[str, ...]
    band: str
    shadow_band: str
    contributions: list[Contribution]
    figures: list[ShownFigure]


class VerdictFacts(JudgedFacts):
    """What a payment was judged by, and what followed; entities are tags."""

    order_id: str
    judged: bool
    blocked: bool
    score: float | None
    reasons: list[str]
    made_of: bool
    entities: dict[str, str]
    paid: Paid | None
    goods: str
    case: str
    case_at_ms: int
    label: ShownLabel | None


class Closed(TypedDict):
    """How a case was closed."""

    fraud: bool
    by: str
    note: str
    at_ms: int


class ShownFraudCase(TypedDict):
    """A case, and the verdict; None while no worker holds its partition."""

    order_id: str
    case: str
    score: float
    reasons: list[str]
    opened_at_ms: int
    closed: Closed | None
    verdict: VerdictFacts | None


class FraudCasePage(TypedDict):
    """Some cases of a state, and how many there are."""

    state: str
    open: int
    closed: int
    skip: int
    next: int | None
    cases: list[ShownFraudCase]


class RuledFacts(TypedDict):
    """A rule without its expression, and its hits: None where they have not been counted."""

    rule_id: str
    version: int
    state: str
    outcome: str
    priority: int
    description: str
    weight: float
    proposed_by: str
    approved_by: str
    hits: int | None
    shadow_hits: int | None
    decided: int | None
    precision: float | None


class ListFacts(TypedDict):
    """A list; its names are tags."""

    name: str
    size: int
    names: list[str]


class SnoozeFacts(TypedDict):
    """A rule that says nothing about one entity; the entity is a tag."""

    rule_id: str
    entity: Personal[str]
    until_ms: int


class RulesFacts(TypedDict):
    """Rules, lists and snoozes in force."""

    revision: str
    hits_age_seconds: float | None
    rules: list[RuledFacts]
    lists: list[ListFacts]
    snoozes: list[SnoozeFacts]


class RuleVersion(TypedDict):
    """One change of a rule, by the audit."""

    at_ms: int
    confirmed: bool
    who: str
    why: str
    version_before: int
    state_before: str
    version: int
    state: str
    rule: dict[str, object]


class RuleFacts(TypedDict):
    """One rule, its history, and its snoozes."""

    rule: Rule
    history: list[RuleVersion]
    snoozes: list[SnoozeFacts]


class TriedRule(TypedDict):
    """The back-test of a rule."""

    rule_id: str
    from_ms: int
    age_seconds: float
    found: Backtest | None


class Drifted(TypedDict):
    """How far one figure has drifted from the training data."""

    figure: str
    label: str
    psi: float
    moved: str


class Drift(TypedDict):
    """The drift of the latest payments from the training data."""

    watched: int
    psi: list[Drifted]
    alert_rate: dict[str, float]


class WorkerDrift(Drift):
    """The same of one worker; `enough` payments make it mean something."""

    pid: int
    url: str
    enough: int
    trouble: str


class TrialFacts(TypedDict):
    """What is on trial beside what is in force."""

    from_ms: int
    age_seconds: float
    trial: Trial | None
    drift: list[WorkerDrift]


class PutRule(TypedDict):
    """The version of a rule that was produced."""

    rule_id: str
    version: int
    state: str


class PutSnooze(TypedDict):
    """A snooze that was produced, and its end."""

    rule_id: str
    until_ms: int


class PutList(TypedDict):
    """A list that was produced, and its size."""

    name: str
    size: int


class PutLabel(TypedDict):
    """A label that was produced."""

    order_id: str
    verdict: str
    state: str
