"""Evaluation week by week, as the handbook does: train 7 days, wait 7 for labels, test 7.

The threshold for recall at 0.1 % false alarms is fixed on the week after the training of a model of
a fortnight before, all of it known by then.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from app.fraud.data import Payments
from app.fraud.figures import matrix
from app.fraud.metrics import Quality, quality
from app.fraud.training import REVIEW_FPR, calibrate, threshold_at, train
from workflows.features import FEATURES
from workflows.model import Model, margin, score

WEEK = 7
HANDBOOK_STARTS = (136, 129, 122, 115)
"""2018-08-15, -08, -01 and 07-25, counted from 2018-04-01."""
EARLIEST = 2 * WEEK
"""Two weeks before the first training: there the threshold's model is trained."""


class FoldError(ValueError):
    """No fold fits the file."""


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
    note: str = ""


MEASURES = (*Quality.__struct_fields__, "us_per_event")


def starts_of(payments: Payments, folds: int) -> tuple[list[int], str]:
    """Return the first days of training, the latest first, and what is to be said of them.

    Raises FoldError when the file is too short for one.
    """
    days = int(payments.day.max()) + 1
    if days >= HANDBOOK_STARTS[0] + 3 * WEEK and folds <= len(HANDBOOK_STARTS):
        return list(HANDBOOK_STARTS[:folds]), ""
    last = days - 3 * WEEK
    starts = [start for start in range(last, last - folds * WEEK, -WEEK) if start >= EARLIEST]
    if not starts:
        raise FoldError(f"{days} days are too few: one fold needs {EARLIEST + 3 * WEEK}")
    return starts, f"the file ends on day {days - 1}: folds of its own end, {len(starts)} of them"


def evaluate(
    payments: Payments, figures: Any, us_for_figures: float, folds: int, say: Callable[[str], None]
) -> Evaluation:
    """Return the quality of models trained on `figures` (payments, FEATURES) of `payments`."""
    starts, note = starts_of(payments, folds)
    if note:
        say(note)
    found: list[Fold] = []
    versions: list[str] = []
    for start in starts:
        model = fold_model(payments, figures, start)
        threshold = _threshold(payments, figures, start)
        fold = _tested(payments, figures, start, model, threshold, us_for_figures)
        say(f"day {start}: AUC {fold.auc_roc:.3f}, AP {fold.average_precision:.3f}")
        found.append(fold)
        versions.append(model.version)
    mean = {name: float(np.mean([getattr(fold, name) for fold in found])) for name in MEASURES}
    return Evaluation(folds=tuple(found), mean=mean, models=tuple(versions), note=note)


def with_figures(
    payments: Payments, epoch_ms: int, folds: int, say: Callable[[str], None]
) -> tuple[Any, Evaluation]:
    """Return the figures of `payments` and the evaluation on them. Raises FoldError."""
    starts_of(payments, folds)
    began = time.perf_counter()
    figures = matrix(payments, epoch_ms, say)
    us_for_figures = (time.perf_counter() - began) * 1e6 / len(payments)
    return figures, evaluate(payments, figures, us_for_figures, folds, say)


def fold_model(payments: Payments, figures: Any, start: int) -> Model:
    """Return the model of the week from day `start` on."""
    rows = _week(payments, start)
    facts = {"from_day": start, "to_day": start + WEEK, "file_sha256": payments.digest}
    return train(figures[rows], payments.fraud[rows], facts)


def calibrated_model(payments: Payments, figures: Any, start: int) -> Model:
    """Return the model of the week from `start`, calibrated on the week of its test."""
    model = fold_model(payments, figures, start)
    rows = _week(payments, start + 2 * WEEK)
    margins = np.array([margin(model, _named(row)) for row in figures[rows]])
    return calibrate(model, margins, payments.fraud[rows])


def _threshold(payments: Payments, figures: Any, start: int) -> float:
    model = fold_model(payments, figures, start - 2 * WEEK)
    rows = _week(payments, start)
    scores = np.array([score(model, _named(row)) for row in figures[rows]])
    return threshold_at(scores, payments.fraud[rows], REVIEW_FPR)


def _tested(  # noqa: PLR0913  a fold needs all of it
    payments: Payments,
    figures: Any,
    start: int,
    model: Model,
    threshold: float,
    us_for_figures: float,
) -> Fold:
    rows = rows_to_test(payments, start)
    given = [_named(row) for row in figures[rows]]
    began = time.perf_counter()
    scores = np.array([score(model, each) for each in given])
    us_for_scores = (time.perf_counter() - began) * 1e6 / len(given)
    fraud = payments.fraud[rows]
    found = quality(scores, fraud, payments.customer_id[rows], payments.day[rows], threshold)
    return Fold(
        start_day=start,
        train_rows=int(_week(payments, start).sum()),
        test_rows=len(given),
        test_frauds=int(fraud.sum()),
        us_per_event=us_for_figures + us_for_scores,
        **msgspec.structs.asdict(found),
    )


def rows_to_test(payments: Payments, start: int) -> Any:
    """Return which payments are tested: of each day, those of cards not known as compromised."""
    known = _frauds_of(payments, start, start + WEEK)
    rows = np.zeros(len(payments), dtype=bool)
    for day in range(WEEK):
        # A day's frauds are known a week later: those of the day eight before this one.
        known |= _frauds_of(payments, start + WEEK + day - 1, start + WEEK + day)
        tested = payments.day == start + 2 * WEEK + day
        rows |= tested & ~np.isin(payments.customer_id, list(known))
    return rows


def _frauds_of(payments: Payments, first: int, end: int) -> set[int]:
    rows = (payments.day >= first) & (payments.day < end) & (payments.fraud == 1)
    return set(payments.customer_id[rows].tolist())


def _week(payments: Payments, start: int) -> Any:
    return (payments.day >= start) & (payments.day < start + WEEK)


def _named(row: Any) -> dict[str, float]:
    return dict(zip(FEATURES, row.tolist(), strict=True))
