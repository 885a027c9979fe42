"""A name is a noun that says what the value is, a verb of what is done: no bare participle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source import Module, bound_names, modules, nodes

PARTICIPLES = frozenset({
    "asked", "begun", "chosen", "drawn", "found", "given", "gone", "heard", "kept", "known", "made",
    "met", "said", "seen", "shown", "spoken", "taken", "told", "wanted",
})  # fmt: skip
"""Whole names, without leading underscores: `found_refunds` says what was found."""
SOURCES = ("app", "agents", "tables", "workflows", "tests", "bench")


def class_fields(module: Module) -> Iterator[int]:
    """Yield the identity of the node of each field that a class of `module` declares."""
    # Fields are exempt: in a message, a row, an answer or a configuration they are stored or on
    # the wire under their name, and renaming them would leave what is written there unreadable.
    for node in nodes(module):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                match statement:
                    case ast.AnnAssign(target=target):
                        yield id(target)
                    case ast.Assign(targets=targets):
                        yield from map(id, targets)
                    case _:
                        pass


def participles(module: Module) -> list[str]:
    """Return where `module` binds a participle, fields and attributes aside."""
    fields = set(class_fields(module))
    return [
        f"{module.path}:{line} {name}"
        for name, line, node in bound_names(module)
        if name.lstrip("_") in PARTICIPLES
        if id(node) not in fields and not isinstance(node, ast.Attribute)
    ]


@pytest.mark.parametrize("package", SOURCES)
def test_no_name_is_a_bare_participle(package: str) -> None:
    """It says that something happened to a value, and not what the value is."""
    refused = [place for module in modules(package) for place in participles(module)]

    assert [] == refused


@pytest.mark.parametrize(
    ("path", "text", "places"),
    [
        pytest.param("app/found.py", "", ["app/found.py:1 found"], id="a module"),
        pytest.param("app/x.py", "found = 1", ["app/x.py:1 found"], id="a value of a module"),
        pytest.param("app/x.py", "def _met(): pass", ["app/x.py:1 _met"], id="a function"),
        pytest.param(
            "app/x.py",
            "async def f(*said, asked, **kept):\n    taken = 1",
            [f"app/x.py:1 {name}" for name in ("said", "asked", "kept")] + ["app/x.py:2 taken"],
            id="parameters and a local",
        ),
        pytest.param("app/x.py", "lambda _known: 1", ["app/x.py:1 _known"], id="of a lambda"),
        pytest.param("app/x.py", "[x for *made, x in y]", ["app/x.py:1 made"], id="a loop"),
        pytest.param("app/x.py", "with a as (gone, b): ...", ["app/x.py:1 gone"], id="a context"),
        pytest.param("app/x.py", "from a import b as drawn", ["app/x.py:1 drawn"], id="an alias"),
        pytest.param(
            "app/x.py", "try: ...\nexcept E as shown: ...", ["app/x.py:2 shown"], id="an error"
        ),
        pytest.param(
            "app/x.py",
            "match a:\n    case [wanted, *begun]: ...\n    case {1: b, **chosen}: ...",
            [f"app/x.py:2 {name}" for name in ("wanted", "begun")] + ["app/x.py:3 chosen"],
            id="patterns",
        ),
        pytest.param(
            "app/x.py",
            "class A:\n    found: int\n    def known(self): ...",
            ["app/x.py:3 known"],
            id="a method, and no field",
        ),
        pytest.param("app/x.py", "from hypothesis import given", [], id="a name of others"),
        pytest.param("app/x.py", "a.found = f(known=1)", [], id="attributes and arguments"),
        pytest.param("app/x.py", "found_refunds = 1", [], id="a part of a name"),
    ],
)
def test_participles_are_refused_wherever_a_name_is_bound(
    path: str, text: str, places: list[str]
) -> None:
    """The test would see each of them."""
    module = Module(path=Path(path), name="app.x", text=text, tree=ast.parse(text))

    assert sorted(places) == sorted(participles(module))
