"""A trained model as data: trees, and a walker that gives the same bits everywhere.

The artefact is JSON, made by `payflow fraud train`; it says what it was trained on and for.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from workflows.fraud.entity_messages import Kind
from workflows.fraud.features import FEATURES
from workflows.fraud.messages import Contribution, Outcome
from workflows.shared.errors import PayflowError

NODES_MAX = 2_000_000
Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]


class ModelError(PayflowError, ValueError):
    """An invalid model; the message names the place."""


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """One tree. Inner nodes are 0, 1, 2 ...; a child below zero is the leaf `-1 - child`."""

    figure: tuple[int, ...]
    """By inner node: the index of the figure that it asks for."""
    threshold: tuple[float, ...]
    """A figure up to the threshold goes left."""
    left: tuple[int, ...]
    right: tuple[int, ...]
    expected: tuple[float, ...]
    """By inner node: the mean margin of what came through it in training."""
    leaf: tuple[float, ...]
    """By leaf: what it adds to the margin."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How a figure was spread in training: shares of the bins between `edges` (one more)."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model in force from `valid_from_ms` (time of the payment) on, until the next."""

    version: str
    figures: tuple[str, ...]
    needs: tuple[Kind, ...] = ("customer", "terminal")
    """Without these entities of a payment the model says nothing."""
    trees: tuple[Tree, ...]
    slope: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    offset: float = 0.0
    """The probability is 1 / (1 + exp(-(slope * margin + offset))), after Platt."""
    review: Unit
    """Scores from here on are reviewed."""
    block: Unit
    valid_from_ms: int = 0
    spread: dict[str, Spread] = {}
    """Of every figure, and of `score`."""
    training: dict[str, Any] = {}
    """Facts for people: rows, frauds, from, to, parameters, the file's digest."""


def read_model(body: bytes) -> Model:
    """Return the model in the JSON `body`. Raises ModelError."""
    try:
        model = msgspec.json.decode(body, type=Model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"no model: {error}") from error
    if unknown := sorted(set(model.figures) - set(FEATURES)):
        raise ModelError(f"figures: nobody computes {', '.join(unknown)}")
    if len(set(model.figures)) < len(model.figures):
        raise ModelError("figures: one is named twice")
    if not model.review <= model.block:
        raise ModelError("review: must not lie above block")
    for at, tree in enumerate(model.trees):
        _check(tree, len(model.figures), f"trees[{at}]")
    for name, spread in model.spread.items():
        if len(spread.shares) != len(spread.edges) + 1:
            raise ModelError(f"spread.{name}: needs one share more than edges")
    return model


def margin(model: Model, figures: Mapping[str, float]) -> float:
    """Return the sum of the leaves, in log odds before calibration."""
    values = [figures.get(name, 0.0) for name in model.figures]
    total = 0.0
    for nodes, leaves in _compiled(model):
        at = 0
        while at >= 0:
            figure, threshold, left, right = nodes[at]
            at = left if values[figure] <= threshold else right
        total += leaves[-1 - at]
    return total


def score(model: Model, figures: Mapping[str, float]) -> float:
    """Return the calibrated probability of fraud."""
    return calibrated(model, margin(model, figures))


def calibrated(model: Model, at_margin: float) -> float:
    """Return the probability of fraud at a margin."""
    odds = model.slope * at_margin + model.offset
    # One of two forms, so that exp never overflows.
    if odds >= 0:
        return 1.0 / (1.0 + math.exp(-odds))
    return math.exp(odds) / (1.0 + math.exp(odds))


def band(model: Model, probability: float) -> Outcome:
    """Return what the model alone would do."""
    if probability >= model.block:
        return "block"
    return "review" if probability >= model.review else "allow"


def contributions(
    model: Model, figures: Mapping[str, float], count: int = 5
) -> tuple[Contribution, ...]:
    """Return the figures that moved the margin most, the strongest first.

    Each step down a tree moves the expected margin; the figure it asked for is given that move.
    """
    values = [figures.get(name, 0.0) for name in model.figures]
    moved = [0.0] * len(values)
    for tree in model.trees:
        at = 0
        while at >= 0:
            figure, here = tree.figure[at], tree.expected[at]
            below = tree.left[at] if values[figure] <= tree.threshold[at] else tree.right[at]
            moved[figure] += (tree.expected[below] if below >= 0 else tree.leaf[-1 - below]) - here
            at = below
    order = sorted(range(len(moved)), key=lambda figure: (-abs(moved[figure]), figure))
    return tuple(
        Contribution(figure=model.figures[figure], value=values[figure], weight=moved[figure])
        for figure in order[:count]
        if moved[figure]
    )


def psi(expected: Sequence[float], counts: Sequence[int]) -> float:
    """Return the population stability index of `counts` against the shares `expected`.

    Below 0.1 nothing has moved, above 0.25 much has.
    """
    total = sum(counts)
    if not total:
        return 0.0
    floor = 0.5 / total
    pairs = [
        (max(share, floor), max(n / total, floor))
        for share, n in zip(expected, counts, strict=True)
    ]
    return sum((now - was) * math.log(now / was) for was, now in pairs)


def _check(tree: Tree, figures: int, place: str) -> None:
    count = len(tree.figure)
    parts = (tree.threshold, tree.left, tree.right, tree.expected)
    if not 0 < count <= NODES_MAX or any(len(part) != count for part in parts):
        raise ModelError(f"{place}: its nodes have parts of different lengths, or none")
    if not all(0 <= figure < figures for figure in tree.figure):
        raise ModelError(f"{place}.figure: an index is out of range")
    numbers = (*tree.threshold, *tree.expected, *tree.leaf)
    if not all(math.isfinite(number) for number in numbers):
        raise ModelError(f"{place}: holds a number that is not finite")
    children = (*tree.left, *tree.right)
    # Every node has one parent that comes before it, so there is no cycle.
    if sorted(child for child in children if child >= 0) != list(range(1, count)) or any(
        0 <= child <= at for side in (tree.left, tree.right) for at, child in enumerate(side)
    ):
        raise ModelError(f"{place}: its nodes are not a tree in order")
    if not all(-len(tree.leaf) <= child for child in children):
        raise ModelError(f"{place}.leaf: an index is out of range")


Walks = tuple[tuple[tuple[tuple[int, float, int, int], ...], tuple[float, ...]], ...]
COMPILED_MAX = 16
_walks: dict[str, tuple[tuple[Tree, ...], Walks]] = {}
"""By version: the trees, and what they were compiled to."""


def _compiled(model: Model) -> Walks:
    held = _walks.get(model.version)
    # Compared by identity: to hash or compare the trees takes longer than to walk them.
    if held is not None and held[0] is model.trees:
        return held[1]
    walks = tuple(
        (tuple(zip(tree.figure, tree.threshold, tree.left, tree.right, strict=True)), tree.leaf)
        for tree in model.trees
    )
    if len(_walks) >= COMPILED_MAX:
        _walks.clear()
    _walks[model.version] = (model.trees, walks)
    return walks
