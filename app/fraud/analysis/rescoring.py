"""Scores verdicts again: by the models that they name, and by another model. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from app.wire.envelope import Envelope
from workflows.fraud.messages import (
    FraudCleared,
    FraudDetected,
    FraudVerdict,
    PaymentLabelled,
    VerdictBasis,
)
from workflows.fraud.model import Model, band, score
from workflows.fraud.state import label_in
from workflows.fraud.verdict import ModelBand, band_of
from workflows.shared.message import Message

Changes = dict[str, dict[str, int]]
"""Payments by the outcome then, and by the outcome of the other model."""
DIFFERENCES_MAX = 10


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A score that differs from what the same model computes now."""

    order_id: str
    model_version: str
    emitted: float | None
    again: float


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes of another model."""

    version: str
    every: Changes
    frauds: Changes
    """Of payments that are known as fraud."""
    legit: Changes
    """Of payments that are known to be honest."""


class Rescoring(msgspec.Struct, frozen=True, kw_only=True):
    """The result of scoring verdicts again."""

    verdicts: int
    same: int
    """To the last bit."""
    different: int
    by_rules: int
    """Judged by no model."""
    not_at_hand: dict[str, int]
    """By the version that is named."""
    differences: tuple[Difference, ...]
    """The first ones."""
    other: Other | None = None


def rescored(
    verdicts: Iterable[FraudVerdict],
    models: Mapping[str, Model],
    labels: Mapping[str, bool],
    other: Model | None = None,
) -> Rescoring:
    """Return the scores of `verdicts` by `models` (by version) and by `other`, compared.

    `labels` say by order id whether a payment was fraud.
    """
    emitted = [(each.transaction_id, each.basis) for each in verdicts]
    # Verdicts of the first version hold no basis: there was no model.
    judged = [(order_id, basis) for order_id, basis in emitted if basis is not None]
    by_model = [(order_id, basis) for order_id, basis in judged if basis.model_version]
    again = [
        Difference(
            order_id=order_id,
            model_version=basis.model_version,
            emitted=basis.model_score,
            again=score(models[basis.model_version], basis.snapshot),
        )
        for order_id, basis in by_model
        if basis.model_version in models
    ]
    different = [each for each in again if each.emitted != each.again]
    return Rescoring(
        verdicts=len(emitted),
        same=len(again) - len(different),
        different=len(different),
        by_rules=len(emitted) - len(by_model),
        not_at_hand=dict(
            Counter(each.model_version for _, each in by_model if each.model_version not in models)
        ),
        differences=tuple(different[:DIFFERENCES_MAX]),
        other=_other(judged, models, labels, other) if other else None,
    )


def judged_from(
    emitted: Iterable[tuple[Envelope, Message]], from_ms: int
) -> dict[str, VerdictBasis]:
    """Return what each verdict emitted from `from_ms` on was made of, by its transaction.

    A payment has one verdict, however often it was emitted.
    """
    return {
        message.transaction_id: message.basis
        for envelope, message in emitted
        if isinstance(message, FraudDetected | FraudCleared)
        and message.basis is not None
        and envelope.time_ms >= from_ms
    }


def newest(emitted: Iterable[tuple[Envelope, Message]]) -> dict[str, bool]:
    """Return the latest label of each order, as the fraud agent applies them."""
    label_by_order: dict[str, PaymentLabelled] = {}
    for envelope, message in emitted:
        label = label_in(message, envelope.time_ms)
        if label is None:
            continue
        before = label_by_order.get(label.transaction_id)
        if before is None or before.known_at_ms <= label.known_at_ms:
            label_by_order[label.transaction_id] = label
    return {order_id: label.fraud for order_id, label in label_by_order.items()}


def _other(
    judged: list[tuple[str, VerdictBasis]],
    models: Mapping[str, Model],
    labels: Mapping[str, bool],
    other: Model,
) -> Other:
    pairs: list[tuple[bool | None, ModelBand, ModelBand]] = [
        (
            labels.get(order_id),
            # The band of the model alone: the effect of rules is not a merit of a model.
            band_of(models, basis.model_version, basis.model_score),
            _would_say(other, basis.snapshot),
        )
        for order_id, basis in judged
    ]
    return Other(
        version=other.version,
        every=_changes((then, now) for _, then, now in pairs),
        frauds=_changes((then, now) for fraud, then, now in pairs if fraud is True),
        legit=_changes((then, now) for fraud, then, now in pairs if fraud is False),
    )


def _would_say(other: Model, snapshot: Mapping[str, float]) -> ModelBand:
    # Every entity has answered since when it is known, which shows that it was asked. The time from
    # which the model is in force does not matter here.
    if any(f"{kind}_known_days" not in snapshot for kind in other.needs):
        return "nothing"
    return band(other, score(other, snapshot))


def _changes(pairs: Iterable[tuple[ModelBand, ModelBand]]) -> Changes:
    changes: Changes = {}
    for (then, now), count in sorted(Counter(pairs).items()):
        changes.setdefault(then, {})[now] = count
    return changes
