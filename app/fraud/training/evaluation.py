"""Evaluation week by week, as the handbook does: train 7 days, wait 7 for labels, test 7.

The threshold for recall at 0.1 % false alarms is fixed by the fold a fortnight before, all of it
known by then. Reading, figures, models, scores and measures are apart: `measured` takes scores from
anywhere, so those that came through the broker are measured by the same lines.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np
from msgspec.structs import replace

from app.fraud.training.data import Floats, Mask, Payments
from app.fraud.training.features import matrix
from app.fraud.training.lightgbm_model import (
    PARAMETERS,
    REVIEW_FPR,
    TREES,
    calibrate,
    threshold_at,
    train,
)
from app.fraud.training.metrics import Quality, quality
from workflows.fraud.entity import DAY_MS
from workflows.fraud.features import FEATURES
from workflows.fraud.model import Model, margin, score
from workflows.shared.errors import PayflowError

WEEK = 7
HANDBOOK_STARTS = (136, 129, 122, 115)
"""2018-08-15, -08, -01 and 07-25, counted from 2018-04-01."""


class FoldError(PayflowError, ValueError):
    """No fold fits the file."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How many folds, how many days each is trained on, and when day 0 was."""

    folds: int = 4
    train_days: int = WEEK
    epoch_ms: int = 0


class Through(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from where payments were judged one by one."""

    scores: Floats
    """float64, a row a payment; NaN where no model was in force."""
    payments: int
    figures_differ: int
    """Payments with a figure that is not the one made here, to the last bit."""
    seconds: float


Models = tuple[tuple[int, Model], ...]
"""Each with the moment from which on it is in force (ms)."""
Way = Callable[[Models], Through]
FoldsWay = Callable[[Payments, Floats, Models], Through]


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One fold. `start_day` is the first day of its training."""

    start_day: int
    train_rows: int
    test_rows: int
    test_frauds: int
    auc_roc: float
    average_precision: float
    card_precision_at_100: float
    recall_at_fpr_0_001: float
    us_per_event: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All folds, and the mean of each measure."""

    folds: tuple[Fold, ...]
    mean: dict[str, float]
    models: tuple[str, ...]
    """Versions of the models, by fold."""
    protocol: dict[str, object] = {}
    """Days of training, delay and test; what the models were made with; the file's digest."""
    note: str = ""
    through: dict[str, object] | None = None
    """How many payments were judged elsewhere, how fast, and how many differ; None: none."""


MEASURES = (*Quality.__struct_fields__, "us_per_event")


def starts_of(payments: Payments, folds: int, train_days: int = WEEK) -> tuple[list[int], str]:
    """Return the first days of the weeks of training, the latest first, and what is to be said.

    Raises FoldError when the file is too short for one.
    """
    days = int(payments.day.max()) + 1
    # The threshold's model is trained two weeks before, on days that end with that week.
    earliest = 2 * WEEK + train_days - WEEK
    first_days = HANDBOOK_STARTS[:folds]
    if days >= first_days[0] + 3 * WEEK and first_days[-1] >= earliest and len(first_days) == folds:
        return list(first_days), ""
    last = days - 3 * WEEK
    starts = [start for start in range(last, last - folds * WEEK, -WEEK) if start >= earliest]
    if not starts:
        raise FoldError(f"{days} days are too few: one fold needs {earliest + 3 * WEEK}")
    return starts, f"the file ends on day {days - 1}: folds of its own end, {len(starts)} of them"


def evaluate(  # noqa: PLR0913  what it is made of, and how
    payments: Payments,
    figures: Floats,
    us_for_figures: float,
    plan: Plan,
    say: Callable[[str], None],
    way: Way | None = None,
) -> Evaluation:
    """Return the quality of models trained on `figures` (payments, FEATURES) of `payments`.

    With a `way`, of the scores that came through it; those made here are compared with them.
    """
    starts, note = starts_of(payments, plan.folds, plan.train_days)
    if note:
        say(note)
    models = fold_models(payments, figures, starts, plan.epoch_ms, plan.train_days)
    through = way(models) if way else None
    folds: list[Fold] = []
    differ = 0
    for start, (_, model) in zip(starts, models, strict=True):
        rows = rows_to_test(payments, start)
        began = time.process_time()
        scores = scores_of(model, figures[rows])
        us = us_for_figures + (time.process_time() - began) * 1e6 / len(scores)
        if through is not None:
            differ += int((through.scores[rows] != scores).sum())
            scores = through.scores[rows]
        threshold = threshold_of(payments, figures, start, plan.train_days)
        fold = measured(payments, start, scores, threshold, us, plan.train_days)
        say(f"day {start}: AUC {fold.auc_roc:.3f}, AP {fold.average_precision:.3f}")
        folds.append(fold)
    evaluation = summed(payments, tuple(folds), [model for _, model in models], note, plan)
    return replace(evaluation, through=_facts(through, differ)) if through else evaluation


def _facts(through: Through, scores_differ: int) -> dict[str, object]:
    return {
        "by": "kafka",
        "payments": through.payments,
        "payments_per_second": round(through.payments / through.seconds, 1),
        "figures_differ": through.figures_differ,
        "scores_differ": scores_differ,
    }


def summed(
    payments: Payments,
    folds: tuple[Fold, ...],
    models: Sequence[Model],
    note: str,
    plan: Plan,
) -> Evaluation:
    """Return `folds` with their means and what they were made by."""
    mean = {name: float(np.mean([getattr(fold, name) for fold in folds])) for name in MEASURES}
    protocol: dict[str, object] = {
        "train_days": plan.train_days,
        "delay_days": WEEK,
        "test_days": WEEK,
        "figures": len(FEATURES),
        "parameters": PARAMETERS | {"trees": TREES},
        "file_sha256": payments.digest,
    }
    versions = tuple(model.version for model in models)
    return Evaluation(folds=folds, mean=mean, models=versions, protocol=protocol, note=note)


def with_figures(
    payments: Payments,
    plan: Plan,
    say: Callable[[str], None],
    way: FoldsWay | None = None,
) -> tuple[Floats, Evaluation]:
    """Return the figures of `payments` and the evaluation on them. Raises FoldError.

    `way`, if any, is given payments, figures and models, and returns what came through it.
    """
    starts_of(payments, plan.folds, plan.train_days)
    began = time.process_time()
    figures = matrix(payments, plan.epoch_ms, say)
    us_for_figures = (time.process_time() - began) * 1e6 / len(payments)
    through = partial(way, payments, figures) if way else None
    return figures, evaluate(payments, figures, us_for_figures, plan, say, through)


def fold_models(
    payments: Payments,
    figures: Floats,
    starts: Sequence[int],
    epoch_ms: int,
    train_days: int = WEEK,
) -> Models:
    """Return the models of `starts`.

    Each is in force from the first moment of its test, so one judge can hold them all.
    """
    models: list[tuple[int, Model]] = []
    for start in starts:
        valid_from_ms = epoch_ms + (start + 2 * WEEK) * DAY_MS
        model = fold_model(payments, figures, start, train_days)
        models.append((valid_from_ms, replace(model, valid_from_ms=valid_from_ms)))
    return tuple(models)


def fold_model(payments: Payments, figures: Floats, start: int, train_days: int = WEEK) -> Model:
    """Return the model of the week from day `start`, or of the `train_days` that end with it."""
    first, end = start + WEEK - train_days, start + WEEK
    rows = (payments.day >= first) & (payments.day < end)
    if not 0 < int(payments.fraud[rows].sum()) < int(rows.sum()):
        raise FoldError(f"days {first} to {end - 1} hold no frauds, or nothing else")
    facts: dict[str, object] = {"from_day": first, "to_day": end, "file_sha256": payments.digest}
    return train(figures[rows], payments.fraud[rows], facts)


def calibrated_model(
    payments: Payments, figures: Floats, start: int, train_days: int = WEEK
) -> Model:
    """Return the model of `fold_model`, calibrated on the week of its test."""
    model = fold_model(payments, figures, start, train_days)
    rows = week_of(payments, start + 2 * WEEK)
    if not 0 < int(payments.fraud[rows].sum()) < int(rows.sum()):
        raise FoldError(f"the week from day {start + 2 * WEEK} on cannot calibrate the model")
    margins = np.array([margin(model, _by_name(row)) for row in figures[rows]])
    return calibrate(model, margins, payments.fraud[rows])


def scores_of(model: Model, figures: Floats) -> Floats:
    """Return the scores of rows of `figures` (any, FEATURES) by the walker, one after another."""
    return np.array([score(model, _by_name(row)) for row in figures])


def threshold_of(payments: Payments, figures: Floats, start: int, train_days: int = WEEK) -> float:
    """Return the score that 0.1 % of the honest payments reached in the fold a fortnight before."""
    before = start - 2 * WEEK
    rows = rows_to_test(payments, before)
    scores = scores_of(fold_model(payments, figures, before, train_days), figures[rows])
    return threshold_at(scores, payments.fraud[rows], REVIEW_FPR)


def measured(  # noqa: PLR0913  a fold is emitted with all of it
    payments: Payments,
    start: int,
    scores: Floats,
    threshold: float,
    us_per_event: float,
    train_days: int = WEEK,
) -> Fold:
    """Return the fold of `start` by `scores`: one of each of `rows_to_test`, in their order."""
    rows = rows_to_test(payments, start)
    fraud = payments.fraud[rows]
    fold_quality = quality(scores, fraud, payments.customer_id[rows], payments.day[rows], threshold)
    trained = (payments.day >= start + WEEK - train_days) & (payments.day < start + WEEK)
    return Fold(
        start_day=start,
        train_rows=int(trained.sum()),
        test_rows=len(fraud),
        test_frauds=int(fraud.sum()),
        us_per_event=us_per_event,
        **msgspec.structs.asdict(fold_quality),
    )


def rows_to_test(payments: Payments, start: int) -> Mask:
    """Return which payments are tested: of each day, those of cards not known as compromised."""
    compromised_cards = _frauds_of(payments, start, start + WEEK)
    rows = np.zeros(len(payments), dtype=bool)
    for day in range(WEEK):
        # A day's frauds are known a week later: those of the day eight before this one.
        compromised_cards |= _frauds_of(payments, start + WEEK + day - 1, start + WEEK + day)
        tested = payments.day == start + 2 * WEEK + day
        rows |= tested & ~np.isin(payments.customer_id, list(compromised_cards))
    return rows


def _frauds_of(payments: Payments, first: int, end: int) -> set[int]:
    rows = (payments.day >= first) & (payments.day < end) & (payments.fraud == 1)
    return set(payments.customer_id[rows].tolist())


def week_of(payments: Payments, start: int) -> Mask:
    """Return which payments are of the week from day `start` on."""
    return (payments.day >= start) & (payments.day < start + WEEK)


def _by_name(row: Floats) -> dict[str, float]:
    return dict(zip(FEATURES, row.tolist(), strict=True))
