"""Training a model with LightGBM, and what our walker needs of it.

Bins are many: with 255 of them a cut such as "above 220.00" falls inside one, and most of what it
would find is lost.
"""

import hashlib
from typing import TypedDict, final

import lightgbm
import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression

from app.fraud.training.data import Floats, Integers
from workflows.fraud.features import FEATURES
from workflows.fraud.model import Model, Spread, Tree

TREES = 100
PARAMETERS: dict[str, str | int | float] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 8,
    "max_depth": 3,
    "max_bin": 65535,
    "min_data_in_bin": 1,
    "min_data_in_leaf": 1,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 10.0,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    "num_threads": 2,
    "verbosity": -1,
}
REVIEW_FPR = 0.001
BLOCK_PRECISION = 0.95
SHARES = 10


@final
class Leaf(TypedDict):
    """A leaf as LightGBM dumps it."""

    leaf_value: float


@final
class Split(TypedDict):
    """A split as LightGBM dumps it: payments up to `threshold` go to the left."""

    split_index: int
    split_feature: int
    decision_type: str
    threshold: float
    internal_value: float
    left_child: "Split | Leaf"
    right_child: "Split | Leaf"


def train(
    figures: Floats, fraud: Integers, facts: dict[str, object], valid_from_ms: int = 0
) -> Model:
    """Return a model of `figures` (payments, FEATURES) and `fraud` (0 or 1), not yet calibrated."""
    data = lightgbm.Dataset(figures, label=fraud, feature_name=list(FEATURES))
    booster = lightgbm.train(PARAMETERS, data, num_boost_round=TREES)
    trees = tuple(_tree(each["tree_structure"]) for each in booster.dump_model()["tree_info"])
    digest = hashlib.sha256(msgspec.json.encode(trees)).hexdigest()
    return Model(
        version=f"gbdt-{digest[:12]}",
        figures=FEATURES,
        trees=trees,
        review=0.5,
        block=0.9,
        valid_from_ms=valid_from_ms,
        spread={name: _spread(figures[:, at]) for at, name in enumerate(FEATURES)},
        training={
            **facts,
            "rows": len(fraud),
            "frauds": int(fraud.sum()),
            "parameters": PARAMETERS | {"trees": TREES},
            "lightgbm": lightgbm.__version__,
        },
    )


def calibrate(model: Model, margins: Floats, fraud: Integers) -> Model:
    """Return `model` with probabilities (Platt) and bands, by payments it was not trained on."""
    fitted = LogisticRegression(C=1e6).fit(margins.reshape(-1, 1), fraud)
    slope, offset = float(fitted.coef_[0][0]), float(fitted.intercept_[0])
    if slope <= 0:
        raise ValueError("the model says less of the calibrating payments than chance")
    scores = 1 / (1 + np.exp(-(slope * margins + offset)))
    review = threshold_at(scores, fraud, REVIEW_FPR)
    return msgspec.structs.replace(
        model,
        slope=slope,
        offset=offset,
        review=review,
        block=max(review, _precise(scores, fraud)),
        spread=model.spread | {"score": _spread(scores)},
    )


def threshold_at(scores: Floats, fraud: Integers, rate: float) -> float:
    """Return the score that at most `rate` of the honest payments reach."""
    honest = np.sort(scores[fraud == 0])[::-1]
    return float(np.nextafter(honest[int(rate * len(honest))], np.inf))


def _precise(scores: Floats, fraud: Integers) -> float:
    order = np.argsort(-scores, kind="stable")
    precision = np.cumsum(fraud[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precision >= BLOCK_PRECISION)
    return float(scores[order[good[-1]]]) if good.size else 1.0


def _spread(values: Floats) -> Spread:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, SHARES + 1)[1:-1]))
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return Spread(edges=tuple(edges.tolist()), shares=tuple((counts / len(values)).tolist()))


def _tree(root: Split | Leaf) -> Tree:
    """Return LightGBM's nested tree as flat lists: parents before their children."""
    nodes: list[Split] = []
    leaves: list[float] = []

    def place(node: Split | Leaf) -> int:
        if "split_index" not in node:
            leaves.append(node["leaf_value"])
            return -len(leaves)
        if node["decision_type"] != "<=":
            raise ValueError(f"a split by {node['decision_type']} is not supported")
        nodes.append(node)
        return len(nodes) - 1

    place(root)
    if not nodes:
        # A tree that is one leaf: a split that nothing is on the other side of.
        return Tree(
            figure=(0,), threshold=(0.0,), left=(-1,), right=(-1,), expected=(leaves[0],),
            leaf=(leaves[0],),
        )  # fmt: skip
    # The list grows as it is gone through: children are placed behind their parents.
    sides = [(place(node["left_child"]), place(node["right_child"])) for node in nodes]
    return Tree(
        figure=tuple(node["split_feature"] for node in nodes),
        threshold=tuple(float(node["threshold"]) for node in nodes),
        left=tuple(left for left, _ in sides),
        right=tuple(right for _, right in sides),
        expected=tuple(float(node["internal_value"]) for node in nodes),
        leaf=tuple(leaves),
    )
