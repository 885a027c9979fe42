"""What a request says is read in one module: `app/host/parameters.py`, which checks it."""

import ast
from pathlib import Path

import pytest

from tests.support.source import Module, modules, nodes

READER = Path("app/host/parameters.py")
REQUESTS = {"Request", "BaseRequest"}
OPEN = {
    "app", "method", "path", "raw_path", "remote", "transport", "content",
    "can_read_body", "get",
}  # fmt: skip
"""What every module may ask of a request: where it goes, its connection, what we keep in it.

`path` and `raw_path` choose routes and are signed. `content` is the stream, which has limits.
"""
ROUTED = {"route", "http_exception"}
"""Of `match_info`: which route it is, or why it is none."""


def names_of_requests(module: Module) -> set[str]:
    """Return the names of arguments and variables that are declared to be requests."""
    return {
        node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
        for node in nodes(module)
        if isinstance(node, ast.arg | ast.AnnAssign)
        and node.annotation is not None
        and REQUESTS & set(ast.unparse(node.annotation).replace("[", ".").strip("'").split("."))
    }


def read_elsewhere(module: Module) -> dict[str, str]:
    """Return what `module` reads of requests beside `OPEN`, by its place."""
    names = names_of_requests(module)
    attributes = [node for node in nodes(module) if isinstance(node, ast.Attribute)]
    routed = {id(node.value) for node in attributes if node.attr in ROUTED}
    return {
        f"{module.path}:{node.lineno}": ast.unparse(node)
        for node in attributes
        if isinstance(node.value, ast.Name)
        and node.value.id in names
        and node.attr not in OPEN
        and not (node.attr == "match_info" and id(node) in routed)
    }


def test_requests_are_read_in_one_module() -> None:
    """Each handler would forget another of the checks."""
    reads = {
        place: text
        for module in modules("app")
        if module.path != READER
        for place, text in read_elsewhere(module).items()
    }

    assert {} == reads


def test_the_reader_of_requests_is_found() -> None:
    """The rule would mean nothing where it does not see a request."""
    (reader,) = (module for module in modules("app") if module.path == READER)
    text = " ".join(read_elsewhere(reader).values())

    for each in ("headers", "query", "match_info", "cookies", "content_type", "host", "url"):
        assert f"request.{each}" in text


def test_bodies_are_decoded_in_one_module() -> None:
    """A body of a thousand brackets, or of no text, is a RecursionError or UnicodeDecodeError."""
    decodings = {
        f"{module.path}:{node.lineno}": ast.unparse(node)
        for module in modules("app")
        for node in nodes(module)
        if module.path != READER
        and isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("decode", "loads"))
        and "body_of(" in ast.unparse(node)
    }

    assert {} == decodings


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("request.query['a']", True),
        ("request.query.get('a')", True),
        ("request.match_info['a']", True),
        ("request.headers.get('a')", True),
        ("await request.post()", True),
        ("await request.read()", True),
        ("request.rel_url.query", True),
        ("also.cookies", True),
        ("request.match_info.route.resource", False),
        ("request.path.startswith('/')", False),
        ("request.app[A].query()", False),
        ("answer.headers.get('a')", False),
    ],
)
def test_what_the_rule_sees(line: str, is_refused: bool) -> None:
    """Answers of others have headers too."""
    text = f"async def f(request: web.Request, also: 'web.Request', answer: Answer): {line}"
    module = Module(path=Path("x.py"), name="x", text=text, tree=ast.parse(text))

    assert is_refused == bool(read_elsewhere(module))
