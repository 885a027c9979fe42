"""The walker of trees: what a model says, what is refused, why a score is what it is."""

import math
from typing import Any

import msgspec
import pytest

from tests.support.examples.model import MODEL, TREE, figures
from workflows.fraud.features import FEATURES
from workflows.fraud.model import (
    ModelError,
    band,
    contributions,
    margin,
    psi,
    read_model,
    score,
)


@pytest.mark.parametrize(
    ("record", "sum_of_leaves", "outcome"),
    [
        pytest.param(figures(10), -4.0, "allow", id="small by day"),
        pytest.param(figures(220.0), -4.0, "allow", id="up to the threshold goes left"),
        pytest.param(figures(math.nextafter(220.0, 999)), 8.0, "block", id="the least above it"),
        pytest.param(figures(10, 1.0), 2.0, "review", id="small by night"),
        pytest.param({}, -4.0, "allow", id="an unknown figure is zero"),
    ],
)
def test_scores(record: dict[str, float], sum_of_leaves: float, outcome: str) -> None:
    """Given these figures, this is the margin, its probability, and what follows."""
    probability = 1 / (1 + math.exp(-(0.5 * sum_of_leaves - 1.0)))

    assert sum_of_leaves == margin(MODEL, record)
    assert pytest.approx(probability, rel=1e-15) == score(MODEL, record)
    assert outcome == band(MODEL, score(MODEL, record))


def test_no_margin_overflows() -> None:
    """However sure the model is."""
    sure = msgspec.structs.replace(MODEL, slope=1e6)

    assert (1.0, 0.0) == (score(sure, figures(300)), score(sure, figures(1)))


def test_contributions_come_to_what_the_margin_moved() -> None:
    """From what is expected of anybody to what is said of this one; the strongest first."""
    figure_weights = contributions(MODEL, figures(10, 1.0))

    assert ["night", "amount"] == [each.figure for each in figure_weights]
    assert pytest.approx(margin(MODEL, figures(10, 1.0))) == sum(
        each.weight for each in figure_weights
    )
    assert 1 == len(contributions(MODEL, figures(10, 1.0), count=1))


def test_two_models_of_one_version_are_not_taken_for_each_other() -> None:
    """Trees that were compiled are known again by themselves, not by the version alone."""
    other = msgspec.structs.replace(MODEL, trees=(TREE,))

    assert [-4.0, -2.0, -4.0] == [margin(each, figures(10)) for each in (MODEL, other, MODEL)]


def test_the_walker_is_lightgbm_to_the_last_bit() -> None:
    """Margins of payments on both sides of every threshold, before and after JSON."""
    lightgbm = pytest.importorskip("lightgbm")
    np = pytest.importorskip("numpy")
    training = pytest.importorskip("app.fraud.training.lightgbm_model")
    draw = np.random.default_rng(5)
    record = draw.normal(size=(2_000, len(FEATURES))).round(1)
    fraud = (record[:, 0] + record[:, 4] + draw.normal(size=2_000) > 2.5).astype(int)
    model = training.train(record, fraud, {})
    data = lightgbm.Dataset(record, label=fraud)
    booster = lightgbm.train(training.PARAMETERS, data, num_boost_round=training.TREES)
    again = read_model(msgspec.json.encode(model))
    # On a threshold itself, too: "<=" goes left. Not within 1e-35 of zero, which is zero to
    # LightGBM's reader of arrays, and which no figure of ours can be.
    edges = [
        (at, edge)
        for tree in model.trees
        for at, edge in zip(tree.figure, tree.threshold, strict=True)
        if abs(edge) > 1e-30
    ]
    probes = np.repeat(record[:1], len(edges), axis=0)
    for row, (at, edge) in enumerate(edges):
        probes[row, at] = edge
    rows = np.concatenate([record[:500], probes])
    rows_by_name = [dict(zip(FEATURES, row.tolist(), strict=True)) for row in rows]

    assert booster.predict(rows, raw_score=True).tolist() == [
        margin(model, each) for each in rows_by_name
    ]
    assert [score(model, each) for each in rows_by_name] == [
        score(again, each) for each in rows_by_name
    ]
    assert model.version == training.train(record, fraud, {}).version


def test_read_again_a_model_gives_the_same_bits() -> None:
    """JSON keeps every digit that counts."""
    odd = msgspec.structs.replace(
        MODEL, trees=(msgspec.structs.replace(TREE, threshold=(0.1 + 0.2, 1 / 3)),), slope=1 / 3
    )
    again = read_model(msgspec.json.encode(odd))

    assert odd == again
    assert score(odd, figures(0.30000000000000004)) == score(again, figures(0.30000000000000004))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({"figure": [0, 2]}, r"trees\[1\].figure", id="no such figure"),
        pytest.param({"left": [0, -1]}, r"trees\[1\]: its nodes are not a tree", id="a circle"),
        pytest.param({"left": [1, 1]}, r"trees\[1\]: its nodes are not a tree", id="two parents"),
        pytest.param({"right": [-4, -2]}, r"trees\[1\].leaf", id="no such leaf"),
        pytest.param({"leaf": [1.0]}, r"trees\[1\].leaf", id="too few leaves"),
        pytest.param({"threshold": [1.0]}, r"trees\[1\]: its nodes have parts", id="half a node"),
        pytest.param({"figure": []}, r"trees\[1\]: its nodes have parts", id="nothing"),
        pytest.param({"threshold": [1.0, None]}, "no model", id="no number"),
    ],
)
def test_a_broken_tree_is_refused_by_its_place(changes: dict[str, Any], place: str) -> None:
    """Before it judges anybody."""
    raw = msgspec.to_builtins(MODEL)
    raw["trees"][1].update(changes)

    with pytest.raises(ModelError, match=place):
        read_model(msgspec.json.encode(raw))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"figures": ["amount", "colour"]}, "nobody computes colour"),
        ({"review": 0.95}, "review"),
        ({"block": 2}, "block"),
        ({"slope": 0}, "slope"),
        ({"spread": {"amount": {"edges": [1.0], "shares": [1.0]}}}, "spread.amount"),
        ({"figures": ["amount", "amount"]}, "figures: one is named twice"),
    ],
)
def test_a_model_that_cannot_judge_is_refused(changes: dict[str, Any], place: str) -> None:
    """With what is wrong."""
    with pytest.raises(ModelError, match=place):
        read_model(msgspec.json.encode(msgspec.to_builtins(MODEL) | changes))


def test_psi_is_nothing_where_nothing_moved_and_much_where_all_did() -> None:
    """By the usual rule, a quarter is much."""
    assert 0.0 == psi((0.5, 0.5), (50, 50))
    assert 0.0 == psi((0.5, 0.5), (0, 0))
    assert psi((0.9, 0.1), (10, 90)) > 0.25
