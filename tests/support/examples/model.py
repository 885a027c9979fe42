"""A model of two equal trees, small enough to compute by hand."""

from workflows.fraud.model import (
    Model,
    Tree,
)

TREE = Tree(
    figure=(0, 1),
    threshold=(220.0, 0.5),
    left=(1, -1),
    right=(-3, -2),
    expected=(0.0, -1.0),
    leaf=(-2.0, 1.0, 4.0),
)
"""Above 220.00: 4. Else by night: 1. Else -2."""
MODEL = Model(
    version="test-1",
    figures=("amount", "night"),
    trees=(TREE, TREE),
    slope=0.5,
    offset=-1.0,
    review=0.5,
    block=0.9,
)


def figures(amount: float, night: float = 0.0) -> dict[str, float]:
    """Return what the model uses, and something else."""
    return {"amount": amount, "night": night, "weekend": 1.0}
