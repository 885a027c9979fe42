"""Verdicts scored again: by the models that they name, and by one that nobody asked. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from workflows.fraud.messages import FraudVerdict, PaymentLabelled, VerdictBasis
from workflows.fraud.model import Model, band, score
from workflows.fraud.verdict import ModelBand, band_of

Changes = dict[str, dict[str, int]]
"""Payments by what was said of them then, and by what the other model says."""
DIFFERENCES_MAX = 10


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A score that is not what the same model says now."""

    order_id: str
    model_version: str
    emitted: float | None
    again: float


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """What another model would have said."""

    version: str
    every: Changes
    frauds: Changes
    """Of payments that are known as fraud."""
    legit: Changes
    """Of payments that are known to be none."""


class Rescoring(msgspec.Struct, frozen=True, kw_only=True):
    """How verdicts came out that were scored again."""

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
    """Return what `models`, by version, and `other` say of `verdicts`.

    `labels` say by order id whether a payment was fraud.
    """
    emitted = [(each.transaction_id, each.basis) for each in verdicts]
    # Verdicts of the first version hold no basis: there was no model.
    judged = [(order_id, basis) for order_id, basis in emitted if basis is not None]
    named = [(order_id, basis) for order_id, basis in judged if basis.model_version]
    again = [
        Difference(
            order_id=order_id,
            model_version=basis.model_version,
            emitted=basis.model_score,
            again=score(models[basis.model_version], basis.snapshot),
        )
        for order_id, basis in named
        if basis.model_version in models
    ]
    different = [each for each in again if each.emitted != each.again]
    return Rescoring(
        verdicts=len(emitted),
        same=len(again) - len(different),
        different=len(different),
        by_rules=len(emitted) - len(named),
        not_at_hand=dict(
            Counter(each.model_version for _, each in named if each.model_version not in models)
        ),
        differences=tuple(different[:DIFFERENCES_MAX]),
        other=_other(judged, models, labels, other) if other else None,
    )


def newest(labels: Iterable[PaymentLabelled]) -> dict[str, bool]:
    """Return by order id what was known last, as the fraud agent takes it."""
    known: dict[str, PaymentLabelled] = {}
    for label in labels:
        before = known.get(label.transaction_id)
        if before is None or before.known_at_ms <= label.known_at_ms:
            known[label.transaction_id] = label
    return {order_id: label.fraud for order_id, label in known.items()}


def _other(
    judged: list[tuple[str, VerdictBasis]],
    models: Mapping[str, Model],
    labels: Mapping[str, bool],
    other: Model,
) -> Other:
    pairs: list[tuple[bool | None, ModelBand, ModelBand]] = [
        (
            labels.get(order_id),
            # The band of the model alone: what rules made of it is no merit of a model.
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
    # Every entity that was asked has said since when it is known. From when on the model is in
    # force does not matter: it is asked as if it had been.
    if any(f"{kind}_known_days" not in snapshot for kind in other.needs):
        return "nothing"
    return band(other, score(other, snapshot))


def _changes(pairs: Iterable[tuple[ModelBand, ModelBand]]) -> Changes:
    found: Changes = {}
    for (then, now), count in sorted(Counter(pairs).items()):
        found.setdefault(then, {})[now] = count
    return found
