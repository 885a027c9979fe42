"""Payflow's own source, parsed: what the architecture tests read."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("workflows", "tables", "agents", "app")


class Module(NamedTuple):
    """One source file, by its path from the root."""

    path: Path
    name: str
    text: str
    tree: ast.Module


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Return every module of `packages`, of all four when none is named."""
    return tuple(
        _read(path)
        for package in packages or PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    )


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of `module`, nested ones and methods included."""
    for node in nodes(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imports(module: Module) -> tuple[str, ...]:
    """Return the dotted name of everything `module` imports, wherever it does so."""
    return _imports(module.tree)


def called(module: Module) -> Iterator[tuple[str, int]]:
    """Yield the plain name and the line of every call in `module`."""
    for node in nodes(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node.lineno


def bound_names(module: Module) -> Iterator[tuple[str, int, ast.AST]]:
    """Yield each name that `module` gives, its line and its node; first those of its path.

    A name that is imported as it is, such as `given` of hypothesis, is somebody else's.
    """
    for part in module.path.with_suffix("").parts:
        yield part, 1, module.tree
    for node in nodes(module):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
                | ast.alias(asname=str(name))
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):
                yield name, node.lineno, node
            case _:
                pass


# Thirty tests ask the same of the same thousand files: each is read and walked once a process.


def nodes(module: Module) -> tuple[ast.AST, ...]:
    """Return every node of `module`."""
    return _nodes(module.tree)


@cache
def _nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


@cache
def _imports(tree: ast.Module) -> tuple[str, ...]:
    names: list[str] = []
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


@cache
def _read(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    return Module(path=relative, name=name, text=text, tree=ast.parse(text))
