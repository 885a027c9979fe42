"""The suite itself: tests share `tests/support`, and never import one another."""

import ast

from hypothesis import settings

from tests.support.source import ROOT, imports, modules, nodes

SUPPORT = "tests.support."
OWN_EXAMPLES = {"tests/properties/test_order_files.py": "MUTATED_FILES"}
"""Tests of `make security` with a number of examples of their own, and the variable that says it.

A number of its own hides that of the profile.
"""


def test_no_test_imports_another_test():
    """What two tests need lies in tests/support; fixtures come from a conftest.py."""
    names = {module.name for module in modules("tests")}
    imported = {
        f"{module.path} imports {name}"
        for module in modules("tests")
        for name in imports(module)
        if name.startswith("tests.")
        for target in ({name, name.rpartition(".")[0]} & names)
        if target.rpartition(".")[2].startswith(("test_", "conftest"))
    }

    assert set() == imported


def test_folders_of_tests_share_only_support():
    """A module beside the tests of one folder serves that folder alone."""
    crossing = {
        f"{module.path} imports {name}"
        for module in modules("tests")
        for name in imports(module)
        if name.startswith("tests.")
        and not name.startswith(SUPPORT)
        and name.split(".")[1] != module.path.parts[1]
    }

    assert set() == crossing


def test_support_holds_no_tests():
    """Pytest collects `test_*.py` alone: a test in another file would never run."""
    uncollected = {
        f"{module.path}:{node.name}"
        for module in modules("tests")
        if not module.path.name.startswith("test_")
        for node in nodes(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }

    assert set() == uncollected


def test_make_security_gives_every_reader_as_many_examples_as_its_profile():
    """Files of orders once had 150 there, where the guide says 5,000."""
    recipe = (ROOT / "Makefile").read_text().partition("\nsecurity: ")[2].partition("\n\n")[0]
    examples = settings.get_profile("security").max_examples
    own = {
        str(module.path)
        for module in modules("tests")
        if str(module.path) in recipe and "settings(max_examples=" in module.text
    }

    assert set(OWN_EXAMPLES) == own
    assert [] == [name for name in OWN_EXAMPLES.values() if f"{name}={examples} " not in recipe]


def test_no_test_asserts_how_long_something_took():
    """Machines are shared: what holds on a quiet one alone is measured in bench/."""
    timed = {
        f"{module.path}:{node.lineno}"
        for module in modules("tests")
        if module.path.name.startswith("test_")
        for node in nodes(module)
        if isinstance(node, ast.Compare)
        for part in ast.walk(node)
        if isinstance(part, ast.BinOp)
        and isinstance(part.op, ast.Sub)
        and any(_reads_a_clock(side) for side in (part.left, part.right))
    }

    assert set() == timed


def _reads_a_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {
        "time.monotonic",
        "time.perf_counter",
        "time.process_time",
        "time.time",
    }
