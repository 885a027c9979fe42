"""No import cycles: every file can be read, and moved, from the bottom up."""

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.source import imports, modules, nodes


def needs() -> dict[str, set[str]]:
    """Return the modules that each module names, also inside functions and for types alone."""
    names = {module.name for module in modules()}
    names_by_module: dict[str, set[str]] = {}
    for module in modules():
        whole = (name if name in names else name.rpartition(".")[0] for name in imports(module))
        names_by_module[module.name] = {name for name in whole if name in names} - {module.name}
    return names_by_module


def cycle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Return a way from a module back to itself; empty: there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_file_needs_itself_through_others() -> None:
    """What goes round is one file in several: it is loaded by luck, and changed all at once."""
    assert [] == cycle_in(needs())


@pytest.mark.parametrize(
    ("graph", "then"),
    [
        pytest.param({"a": {"b"}, "b": {"c"}, "c": set()}, [], id="a way down"),
        pytest.param({"a": {"b", "c"}, "b": {"c"}, "c": set()}, [], id="two ways down"),
        pytest.param({"a": {"b"}, "b": {"a"}}, ["a", "b", "a"], id="two of each other"),
    ],
)
def test_a_way_round_is_found(graph: dict[str, set[str]], then: list[str]) -> None:
    """The test would see one."""
    assert sorted(then) == sorted(cycle_in(graph))


def test_imports_are_seen() -> None:
    """A graph without lines has no cycles either; only whole names make lines."""
    every = [node for module in modules() for node in nodes(module)]

    assert {0} == {node.level for node in every if isinstance(node, ast.ImportFrom)}
    assert {"app.wire.records", "app.wire.envelope"} <= needs()["app.delivery.batch"]
    assert "app.fraud.training.evaluation" in needs()["app.cli.fraud_training"]
