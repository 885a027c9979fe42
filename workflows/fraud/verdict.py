"""The verdict on a payment: figures, model and rules become one outcome with reasons.

Pure: asked with the same answers and the same judge, it says the same, to the last bit.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from workflows.fraud import model, rulebook
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.condition import Fact, World
from workflows.fraud.entity import DAY_MS, HOUR_MS
from workflows.fraud.entity_messages import EntityAnswered, Kind
from workflows.fraud.features import EPOCH_WEEKDAY, of_payment
from workflows.fraud.messages import (
    FraudCleared,
    FraudDetected,
    FraudVerdict,
    Outcome,
    VerdictBasis,
)
from workflows.fraud.model import Model
from workflows.fraud.rulebook import LADDER, Book, Ruling
from workflows.payment.capture_messages import PaymentAuthorized
from workflows.payment.messages import PaymentCompleted
from workflows.shared.reference_rates import BUILT_IN_RATES, REFERENCE, ReferenceRates

MODEL = "model"
UNRATED = "currency.unrated"  # decides where there is no rate
MODEL_PRIORITY = 50
"""Rules above it overrule the model; beside it, the stricter of both counts."""
REASON_FIGURES = 5

ModelBand = Literal["allow", "review", "block", "nothing", "unknown"]
"""The band of a score; `nothing`: it knows no such payment; `unknown`: the model is not at hand."""
ALERT_BANDS: tuple[ModelBand, ...] = ("review", "block")
"""The bands of an alert: reviewed, or stopped."""


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """The current rules and the models, by which payments are judged."""

    book: Book = BUILT_IN
    models: tuple[Model, ...] = ()
    """The one that came into force last before a payment judges it."""
    trial: Model | None = None
    """The model on trial, which decides nothing."""
    rates: ReferenceRates = BUILT_IN_RATES
    """By which amounts of other currencies are compared."""

    def worth_minor(self, amount_minor: int, currency: str) -> int:
        """Return `amount_minor` in the reference currency, in minor units.

        Without a rate it counts as nothing, and a person reviews it.
        """
        return self.rates.reference_minor(amount_minor, currency) or 0


def band_of(models: Mapping[str, Model], version: str, score: float | None) -> ModelBand:
    """Return the band of `score` by the model `version`."""
    if score is None:
        return "nothing"
    return model.band(models[version], score) if version in models else "unknown"


def entities_of(
    customer_id: str, card_id: str, terminal_id: str, device_id: str, address_id: str
) -> dict[Kind, str]:
    """Return the ids of the known entities, by kind."""
    every: dict[Kind, str] = {
        "customer": customer_id,
        "card": card_id,
        "terminal": terminal_id,
        "device": device_id,
        "address": address_id,
    }
    return {kind: name for kind, name in every.items() if name}


def verdict_on(
    paid: PaymentCompleted | PaymentAuthorized,
    by_kind: dict[Kind, str],
    answers: tuple[EntityAnswered, ...],
    judge: Judge,
    at_ms: int,
) -> FraudVerdict:
    """Return the verdict on `paid`, whose `entities` have all answered.

    `at_ms`: of the receiving.
    """
    worth_minor = judge.rates.reference_minor(paid.amount_minor, paid.currency)
    snapshot, aggregates = _figures(of_payment(paid.ordered_at_ms, worth_minor or 0), answers)
    active = _in_force(judge.models, paid.ordered_at_ms, by_kind)
    trial = _in_force((judge.trial,) if judge.trial else (), paid.ordered_at_ms, by_kind)
    score = model.score(active, snapshot) if active else None
    facts = _facts(paid, by_kind, snapshot, score)
    facts |= {"amount_minor": float(worth_minor or 0), "currency_rated": worth_minor is not None}
    world = World(facts=facts, aggregates=aggregates)
    entities = tuple(f"{kind}:{name}" for kind, name in by_kind.items())
    ruling = rulebook.judge(judge.book, world, entities, at_ms)
    outcome, decided_by = _decided(ruling, active, score, worth_minor)
    basis = VerdictBasis(
        outcome=outcome,
        decided_by=decided_by,
        rules=tuple(rule.rule_id for rule in ruling.hits),
        unknown=ruling.unknown,
        snoozed=ruling.snoozed,
        model_score=score,
        model_version=active.version if active else "",
        rules_version=judge.book.revision,
        contributions=model.contributions(active, snapshot) if active else (),
        snapshot=snapshot,
        aggregates=aggregates,
        shadow_rules=ruling.shadow,
        shadow_score=model.score(trial, snapshot) if trial else None,
        shadow_version=trial.version if trial else "",
        rates_date="" if paid.currency == REFERENCE else judge.rates.date,
    )
    return _emitted(paid.transaction_id, ruling, basis)


def _emitted(transaction_id: str, ruling: Ruling, basis: VerdictBasis) -> FraudVerdict:
    message = FraudDetected if basis.outcome == "block" else FraudCleared
    return message(
        transaction_id=transaction_id,
        score=_score(ruling, basis.model_score),
        reasons=_reasons(ruling, basis),
        rules_version=basis.rules_version,
        basis=basis,
    )


def _figures(
    of_payment: dict[str, float], answers: tuple[EntityAnswered, ...]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return every figure, and the aggregates that rules asked for."""
    snapshot, aggregates = dict(of_payment), dict[str, float]()
    for answer in answers:
        snapshot |= answer.figures
        aggregates |= answer.aggregates
    return snapshot, aggregates


def _facts(
    paid: PaymentCompleted | PaymentAuthorized,
    by_kind: dict[Kind, str],
    snapshot: dict[str, float],
    score: float | None,
) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        **snapshot,
        **by_kind,
        "hour": float(paid.ordered_at_ms % DAY_MS // HOUR_MS),
        "weekday": float((paid.ordered_at_ms // DAY_MS + EPOCH_WEEKDAY) % 7),
        "guest": not paid.customer_id,
        "currency": paid.currency,
        "country": paid.country,
    }
    return facts if score is None else {**facts, "score": score}


def _in_force(models: tuple[Model, ...], at_ms: int, by_kind: dict[Kind, str]) -> Model | None:
    candidates = [each for each in models if each.valid_from_ms <= at_ms]
    latest = max(candidates, key=lambda each: each.valid_from_ms, default=None)
    if latest is None or any(kind not in by_kind for kind in latest.needs):
        return None
    return latest


def _decided(
    ruling: Ruling, active: Model | None, score: float | None, worth_minor: int | None
) -> tuple[Outcome, str]:
    if worth_minor is None and ruling.outcome == "allow" and not ruling.hits:
        return "review", UNRATED
    band = model.band(active, score) if active and score is not None else "allow"
    priority = ruling.hits[0].priority if ruling.hits else 0
    if priority > MODEL_PRIORITY or LADDER.index(ruling.outcome) >= LADDER.index(band):
        return ruling.outcome, ruling.decided_by
    return band, MODEL


def _score(ruling: Ruling, score: float | None) -> float:
    """Return the combined score, as if each contribution were independent."""
    doubt = 1.0 - (score or 0.0)
    for rule in ruling.hits:
        doubt *= 1.0 - rule.weight
    return min(max(1.0 - doubt, 0.0), 1.0)


def _reasons(ruling: Ruling, basis: VerdictBasis) -> tuple[str, ...]:
    reasons = [f"{rule.rule_id}: {rule.description}" for rule in ruling.hits]
    if basis.decided_by == MODEL:
        moved = ", ".join(
            f"{each.figure} {each.value:g} ({each.weight:+.2f})"
            for each in basis.contributions[:REASON_FIGURES]
        )
        reasons.append(f"model {basis.model_version}: score {basis.model_score:.3f}; {moved}")
    return tuple(reasons)
