"""Every regular expression in the code: those of modules, of types, and those that calls hold."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from tests.support.source import Module, modules, nodes

CALLS = frozenset(
    {"compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub"}
)


class Found(NamedTuple):
    """One expression, and how the code uses it."""

    pattern: re.Pattern[Any]
    methods: frozenset[str]


def every_pattern() -> tuple[dict[str, Found], set[str]]:
    """Return the expressions by place, and the places of those made of what a function knows."""
    pattern_by_place: dict[str, Found] = {}
    unknown: set[str] = set()
    used = _uses()
    for module in modules():
        for place, expression, method in _expressions(module):
            name = place.rpartition(":")[2]
            methods = used.get(name, set()) if method == "compile" else {method}
            try:
                source = eval(expression, dict(vars(_imported(module))))  # noqa: S307  own source
            except NameError:
                unknown.add(place)
                continue
            pattern = source if isinstance(source, re.Pattern) else re.compile(source)
            pattern_by_place[place] = Found(pattern, frozenset(methods or {"search"}))
    return pattern_by_place, unknown


def _imported(module: Module) -> ModuleType:
    return importlib.import_module(module.name)


def _uses() -> dict[str, set[str]]:
    """Return the methods that are called of each name, in whichever module."""
    used: dict[str, set[str]] = {}
    for module in modules():
        for node in nodes(module):
            if isinstance(node, ast.Attribute) and node.attr in CALLS:
                name = ast.unparse(node.value).rpartition(".")[2]
                used.setdefault(name, set()).add(node.attr)
    return used


def _expressions(module: Module) -> Iterator[tuple[str, str, str]]:
    """Yield the place of each expression, the source of what makes it, and the method called."""
    names = _names(module)
    for node in nodes(module):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        called = ast.unparse(function)
        method = called.removeprefix("re.")
        if called != method and method in CALLS:
            source = ast.unparse(node if method == "compile" else node.args[0])
            yield names.get(node, f"{module.path}:{source}"), source, method
        if called.endswith("Meta"):
            for keyword in node.keywords:
                if keyword.arg == "pattern":
                    source = ast.unparse(keyword.value)
                    yield f"{module.path}:{source}", source, "search"


def _names(module: Module) -> Mapping[ast.AST, str]:
    """Return the names of expressions that are assigned to one, by their node."""
    return {
        node.value: f"{module.path}:{ast.unparse(node.targets[0])}"
        for node in nodes(module)
        if isinstance(node, ast.Assign)
    }
