"""Compares models and rules on trial with those in force. Pure.

A model is compared with a model: the effect of rules is not their merit. A rule is compared with
the outcome, whatever decided it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec

from app.fraud.analysis.rescoring import Changes, judged_from, newest
from app.wire.envelope import Envelope
from workflows.fraud.messages import VerdictBasis
from workflows.fraud.model import Model
from workflows.fraud.verdict import ALERT_BANDS, ModelBand, band_of
from workflows.shared.message import Message


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of alerts by the labels. A share is None where its denominator is zero.

    Payments without a label count for nothing: nobody reviewed the alerts of a trial.
    """

    alerts: int
    labelled: int
    """Alerts of which it is known whether they were fraud."""
    frauds: int
    """Labelled alerts that were fraud."""
    precision: float | None
    """The share of fraud among the labelled alerts."""
    recall: float | None
    """The share of the known frauds, of all compared payments, that were alerts."""


class ModelTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A model on trial beside those in force, over the payments that it scored."""

    version: str
    active_versions: dict[str, int]
    """Payments by the model in force; empty: none judged it."""
    payments: int
    not_at_hand: int
    """Payments left out: judged by a model whose bands are not available."""
    active_judged: int
    active: Found
    trial: Found
    agreement: Changes
    """Payments by the band of the model in force, and by that of the trial."""
    known_frauds: int
    found_by_both: int
    found_by_active_alone: int
    found_by_trial_alone: int
    score_difference: float | None
    """Mean of the trial's score less the active one, where both have one."""


class RuleTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A rule on trial; a hit is its alert. Its recall is of all known frauds since the start."""

    reviewed: int
    """Hits that were reviewed without it."""
    blocked: int
    """Hits that were stopped without it."""
    found: Found


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """All that is on trial."""

    payments: int
    known_frauds: int
    models: tuple[ModelTrial, ...]
    """By version."""
    rules: dict[str, RuleTrial]


class _Compared(msgspec.Struct, frozen=True, kw_only=True):
    order_id: str
    active: ModelBand
    trial: ModelBand
    basis: VerdictBasis


def tried(
    emitted: Iterable[tuple[Envelope, Message]], models: Mapping[str, Model], from_ms: int = 0
) -> Trial:
    """Return what was on trial in the verdicts among `emitted`, by the labels among them.

    `models` are by version; verdicts emitted before `from_ms` do not count, labels always do.
    """
    received = list(emitted)
    judged = judged_from(received, from_ms)
    fraud_by_order = newest(received)
    labels = {order_id: fraud for order_id, fraud in fraud_by_order.items() if order_id in judged}
    versions = {each.shadow_version for each in judged.values() if each.shadow_version}
    rules = {rule_id for each in judged.values() for rule_id in each.shadow_rules}
    return Trial(
        payments=len(judged),
        known_frauds=sum(labels.values()),
        models=tuple(_of_model(each, judged, models, labels) for each in sorted(versions)),
        rules={rule_id: _of_rule(rule_id, judged, labels) for rule_id in sorted(rules)},
    )


def _of_model(
    version: str,
    judged: Mapping[str, VerdictBasis],
    models: Mapping[str, Model],
    labels: Mapping[str, bool],
) -> ModelTrial:
    every = [
        _Compared(
            order_id=order_id,
            active=band_of(models, each.model_version, each.model_score),
            trial=band_of(models, version, each.shadow_score),
            basis=each,
        )
        for order_id, each in judged.items()
        if each.shadow_version == version
    ]
    pairs = [each for each in every if "unknown" not in (each.active, each.trial)]
    frauds = {each.order_id for each in pairs if labels.get(each.order_id)}
    by_active = {each.order_id for each in pairs if each.active in ALERT_BANDS}
    by_trial = {each.order_id for each in pairs if each.trial in ALERT_BANDS}
    return ModelTrial(
        version=version,
        active_versions=dict(Counter(each.basis.model_version for each in pairs)),
        payments=len(pairs),
        not_at_hand=len(every) - len(pairs),
        active_judged=sum(each.active != "nothing" for each in pairs),
        active=_alert_quality(by_active, labels, frauds),
        trial=_alert_quality(by_trial, labels, frauds),
        agreement=_agreement(pairs),
        known_frauds=len(frauds),
        found_by_both=len(frauds & by_active & by_trial),
        found_by_active_alone=len(frauds & by_active - by_trial),
        found_by_trial_alone=len(frauds & by_trial - by_active),
        score_difference=_difference([each.basis for each in pairs]),
    )


def _agreement(pairs: Iterable[_Compared]) -> Changes:
    changes: Changes = {}
    counted = Counter((each.active, each.trial) for each in pairs)
    for (active, trial), count in sorted(counted.items()):
        changes.setdefault(active, {})[trial] = count
    return changes


def _of_rule(
    rule_id: str, judged: Mapping[str, VerdictBasis], labels: Mapping[str, bool]
) -> RuleTrial:
    hits = {
        order_id: each.outcome for order_id, each in judged.items() if rule_id in each.shadow_rules
    }
    outcomes = Counter(hits.values())
    return RuleTrial(
        reviewed=outcomes["review"],
        blocked=outcomes["block"],
        found=_alert_quality(hits.keys(), labels, {one for one, fraud in labels.items() if fraud}),
    )


def _alert_quality(alerts: Collection[str], labels: Mapping[str, bool], frauds: set[str]) -> Found:
    labelled = sum(order_id in labels for order_id in alerts)
    true = len(frauds & set(alerts))
    return Found(
        alerts=len(alerts),
        labelled=labelled,
        frauds=true,
        precision=true / labelled if labelled else None,
        recall=true / len(frauds) if frauds else None,
    )


def _difference(judged: Iterable[VerdictBasis]) -> float | None:
    apart = [
        each.shadow_score - each.model_score
        for each in judged
        if each.shadow_score is not None and each.model_score is not None
    ]
    return sum(apart) / len(apart) if apart else None
