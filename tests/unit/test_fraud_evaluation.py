"""Training and evaluation on a few weeks made here: what is planted is found, and nothing else."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from app.fraud.training import broker_evaluation
from app.fraud.training.data import DataError, Payments, read_payments
from app.fraud.training.evaluation import (
    FoldError,
    Plan,
    Through,
    calibrated_model,
    evaluate,
    fold_models,
    matrix,
    measured,
    rows_to_test,
    scores_of,
    starts_of,
    threshold_of,
)
from app.fraud.training.features import COLUMNS, write_handbook
from app.fraud.training.metrics import card_precision
from app.wire import codecs
from tests.support.fraud_site import BASIS, verdict
from tests.support.payments_file import EPOCH_MS, HEADER, plant
from workflows.fraud.features import FEATURES
from workflows.fraud.model import read_model, score


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Payments:
    """Seven weeks; fraud is what is above 220.00, and all at two terminals."""
    return read_payments(plant(tmp_path_factory.mktemp("data") / "payments.csv"))


def test_what_is_planted_is_found(payments: Payments, tmp_path: Path) -> None:
    """Both kinds: the amount, and the terminal whose frauds are known."""
    figures = matrix(payments, EPOCH_MS, lambda _line: None)
    evaluation = evaluate(payments, figures, 0.0, Plan(folds=2), lambda _line: None)
    model = read_model(msgspec.json.encode(calibrated_model(payments, figures, 21)))
    path = tmp_path / "figures.csv"
    write_handbook(path, payments, figures)

    assert [28, 21] == [fold.start_day for fold in evaluation.folds]
    assert evaluation.mean["average_precision"] > 0.9
    assert evaluation.mean["recall_at_fpr_0_001"] > 0.6
    large = dict(zip(FEATURES, figures[payments.amount_cents > 22_000][-1].tolist(), strict=True))
    small = dict(zip(FEATURES, figures[payments.fraud == 0][-1].tolist(), strict=True))
    assert score(model, large) > 0.5
    assert score(model, small) < 0.1
    heading = path.read_text().splitlines()[0].replace('"', "")
    assert ",".join(("TRANSACTION_ID", *COLUMNS)) == heading


def test_scores_made_elsewhere_are_measured_alike(payments: Payments) -> None:
    """Through a broker, say: the fold's models, in force from their test on, one after another."""
    figures = matrix(payments, EPOCH_MS, lambda _line: None)
    evaluation = evaluate(payments, figures, 7.0, Plan(folds=2), lambda _line: None)
    models = fold_models(payments, figures, [28, 21], EPOCH_MS)
    by_time = dict(models)
    elsewhere = []
    for fold in evaluation.folds:
        rows = rows_to_test(payments, fold.start_day)
        at_ms = EPOCH_MS + (fold.start_day + 14) * 86_400_000
        threshold = threshold_of(payments, figures, fold.start_day)
        scores = scores_of(by_time[at_ms], figures[rows])
        elsewhere.append(measured(payments, fold.start_day, scores, threshold, fold.us_per_event))

    assert evaluation.folds == tuple(elsewhere)
    assert evaluation.models == tuple(model.version for _, model in models)
    assert [at_ms for at_ms, _ in models] == [model.valid_from_ms for _, model in models]


def test_what_came_through_elsewhere_is_compared_bit_by_bit(payments: Payments) -> None:
    """Its scores are measured, and one that differs is counted."""
    figures = matrix(payments, EPOCH_MS, lambda _line: None)

    def way(models: Any) -> Through:
        scores = np.full(len(payments), np.nan)
        for at_ms, model in models:
            start = (at_ms - EPOCH_MS) // 86_400_000 - 14
            rows = rows_to_test(payments, start)
            scores[rows] = scores_of(model, figures[rows])
        first = np.flatnonzero(rows_to_test(payments, 21))[0]
        scores[first] = np.nextafter(scores[first], 1.0)
        return Through(scores=scores, payments=100, figures_differ=0, seconds=2.0)

    plan = Plan(folds=2, epoch_ms=EPOCH_MS)
    plain = evaluate(payments, figures, 0.0, plan, lambda _line: None)
    evaluation = evaluate(payments, figures, 0.0, plan, lambda _line: None, way)

    assert evaluation.through is not None
    assert 1 == evaluation.through["scores_differ"]
    assert 50.0 == evaluation.through["payments_per_second"]
    assert plain.folds[0].average_precision == evaluation.folds[0].average_precision


def test_scores_that_say_nothing_measure_as_nothing(payments: Payments) -> None:
    """The bars of the other tests are none that a broken model could meet."""
    rows = int(rows_to_test(payments, 21).sum())
    scores = np.random.default_rng(1).random(rows)
    fold = measured(payments, 21, scores, 2.0, 0.0)

    assert abs(fold.auc_roc - 0.5) < 0.15
    assert fold.average_precision < 0.3
    assert 0.0 == fold.recall_at_fpr_0_001


@pytest.mark.parametrize(
    ("train_days", "starts"),
    [
        pytest.param(7, [28, 21, 14], id="the last that fit"),
        pytest.param(14, [28, 21], id="more days of training, fewer folds"),
    ],
)
def test_folds_end_with_the_file(payments: Payments, train_days: int, starts: list[int]) -> None:
    """And it is said that they are not the handbook's."""
    start_days, note = starts_of(payments, 4, train_days)

    assert starts == start_days
    assert "the file ends on day 48" in note


def test_known_cards_are_not_tested(payments: Payments) -> None:
    """None with a fraud in the week of training, nor of those a week before each day."""
    rows = rows_to_test(payments, 21)
    trained = (payments.day >= 21) & (payments.day < 28) & (payments.fraud == 1)

    assert not set(payments.customer_id[trained]) & set(payments.customer_id[rows])
    assert {35, 36, 37, 38, 39, 40, 41} >= set(payments.day[rows].tolist())


def test_a_file_that_is_too_short_is_refused(payments: Payments) -> None:
    """Rather than measured on less."""
    few = payments.day < 20
    names = [name for name in Payments.__struct_fields__ if name != "digest"]
    short = Payments(**{name: getattr(payments, name)[few] for name in names}, digest="")

    with pytest.raises(FoldError, match="20 days are too few"):
        evaluate(short, None, 0.0, Plan(folds=1), lambda _line: None)


def test_card_precision_by_hand() -> None:
    """Two days, two cards a day: a card that was found is not counted again."""
    scores = np.array([0.9, 0.8, 0.1, 0.9, 0.7, 0.2])
    fraud = np.array([1, 0, 1, 1, 1, 0])
    cards = np.array([1, 2, 3, 1, 3, 4])
    days = np.array([0, 0, 0, 1, 1, 1])

    assert 0.5 == card_precision(scores, fraud, cards, days, top=2)


def test_rows_out_of_order_are_sorted_and_it_is_said(tmp_path: Path) -> None:
    """By time, then by id; which row was the first."""
    path = tmp_path / "unsorted.csv"
    path.write_text(HEADER + "1,1,1,1,5,0,0\n3,9,1,1,5,0,0\n2,9,1,1,5,0,0\n")
    lines: list[str] = []
    payments = read_payments(path, lines.append)

    assert [1, 2, 3] == payments.transaction_id.tolist()
    assert [f"{path}: row 2 is out of order: sorted by t and transaction_id"] == lines


@pytest.mark.parametrize(
    ("body", "objection"),
    [
        pytest.param("t,fraud\n1,0\n", "no column transaction_id", id="columns are missing"),
        pytest.param(HEADER, "holds no payments|whole numbers", id="nothing"),
        pytest.param(
            HEADER + "1,1,1,1,x,0,0\n", "must be whole numbers: row 1 is 'x'", id="no number"
        ),
        pytest.param(HEADER + "1,1,1,1,5,0,0\n2,2,1,1,.5,0,0\n", "row 2 is 0.5", id="a fraction"),
        pytest.param(HEADER + "1,2018-04-01,1,1,5,0,0\n", "t: .* not moments", id="a date"),
        pytest.param(HEADER + "1,1,1,1,-5,0,0\n", "amount_cents: row 1 is below", id="below zero"),
        pytest.param(HEADER + "1,1,1,1,5,2,0\n", "fraud: row 1 is neither", id="no label"),
        pytest.param(HEADER + "1,1,1,1,,0,0\n2,1,1,1,5,0,0\n", "row 1 is empty", id="a hole"),
        pytest.param(HEADER + "1,1,1,1,5,0,0\n1,2,1,1,5,0,0\n", "1 is there twice", id="twice"),
        pytest.param("", "Empty CSV", id="an empty file"),
    ],
)
def test_a_bad_file_is_refused_with_what_is_wrong(
    body: str, objection: str, tmp_path: Path
) -> None:
    """And where."""
    path = tmp_path / "bad.csv"
    path.write_text(body)

    with pytest.raises(DataError, match=objection):
        read_payments(path)


def test_what_the_evaluation_reads_of_a_verdict_is_what_the_agent_writes() -> None:
    """The part that counts, under the names of the wire."""
    read = broker_evaluation._read(codecs.encode(verdict("o1")))

    assert read.order_id == "o1"
    assert read.basis is not None
    assert (BASIS.snapshot, BASIS.model_score) == (read.basis.snapshot, read.basis.model_score)
