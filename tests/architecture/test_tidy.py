"""Payflow stays small and plain: sizes, names, and what may not be used."""

import ast
import re
from pathlib import Path

from tests.support.source import ROOT, called, functions, modules, nodes

LINES_MAX = {"workflows": 200, "tables": 200, "agents": 200, "app": 300}
FUNCTION_LINES_MAX = 40
COLUMNS_MAX = 100
ANY_MAX = 202
"""How often app/ says `Any`: the number goes down, and never up."""
PRAGMA = re.compile(r"  # noqa: .*$")
"""A remark to the linter does not count as width: the line before it does."""
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager"})
SPEAKS_TO_PEOPLE = re.compile(r"app[/\\](cli|commands|demo)")
HOSTS = re.compile(
    r"(\bregistry\.[a-z]+\.|\b(pypi|npmjs?|docker|ghcr|maven)\.(org|com|io)\b)", re.IGNORECASE
)


def test_no_module_is_longer_than_its_package_allows():
    """200 lines where the business is, 300 where the wiring is."""
    long = {
        str(module.path): lines
        for module in modules()
        if (lines := len(module.text.splitlines())) > LINES_MAX[module.path.parts[0]]
    }

    assert {} == long


def test_no_function_is_longer_than_forty_lines():
    """Docstring and signature included: what is longer has two subjects."""
    long = {
        f"{module.path}:{function.name}": lines
        for module in modules()
        for function in functions(module)
        if (lines := function.end_lineno - function.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert {} == long


def test_no_line_is_wider_than_a_hundred_columns():
    """Two files fit side by side."""
    wide = [
        f"{module.path}:{number}"
        for module in modules()
        for number, line in enumerate(module.text.splitlines(), start=1)
        if len(PRAGMA.sub("", line)) > COLUMNS_MAX
    ]

    assert [] == wide


def test_types_are_named():
    """`Any` is for what comes from outside and has no type, and for no more of it than today."""
    count = sum(len(re.findall(r"\bAny\b", module.text)) for module in modules("app"))

    assert count <= ANY_MAX


def test_no_module_is_named_for_nothing():
    """If two agents need a function, it has a subject: that is its name."""
    refused = [
        str(module.path) for module in modules() if BANNED_NAMES & set(module.name.split("."))
    ]

    assert [] == refused


def test_every_module_says_what_lives_here():
    """A docstring on every module that has code."""
    silent = [
        str(module.path)
        for module in modules()
        if module.tree.body and ast.get_docstring(module.tree) is None
    ]

    assert [] == silent


def test_nothing_prints_but_what_speaks_to_people():
    """Workers log; only the command line prints."""
    printing = [
        f"{module.path}:{line}"
        for module in modules()
        if not SPEAKS_TO_PEOPLE.match(str(module.path))
        for name, line in called(module)
        if name == "print"
    ]

    assert [] == printing


def test_no_exception_is_swallowed():
    """No `except` whose body is only `pass`: errors are handled, once, or passed on."""
    swallowing = [
        f"{module.path}:{node.lineno}"
        for module in modules()
        for node in nodes(module)
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]

    assert [] == swallowing


def test_the_core_is_pure():
    """No clock, no dice, no environment, no `async` in the business."""
    impure = [
        f"{module.path}:{node.lineno}"
        for module in modules("workflows")
        for node in nodes(module)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        or (isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "environ"})
    ]

    assert [] == impure


def test_every_message_state_and_agent_is_frozen():
    """A stored value that could be changed in place would never reach the changelog."""
    loose = [
        f"{module.path}:{node.name}"
        for module in modules("workflows")
        for node in nodes(module)
        if isinstance(node, ast.ClassDef)
        and any(
            "Struct" in ast.unparse(base) or "Message" in ast.unparse(base) for base in node.bases
        )
        and not {("frozen", True), ("kw_only", True)}
        <= {(message.arg, getattr(message.value, "value", None)) for message in node.keywords}
    ]

    assert [] == loose


def test_nothing_is_left_for_later():
    """No TODO, no FIXME, no stub. In quotes, three X are the currency code for no currency."""
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|(?<!\")XX" + r"X)\b|NotImplementedErr" + r"or")
    left = [str(module.path) for module in modules() if marks.search(module.text)]

    assert [] == left


def test_no_file_names_a_registry_or_a_path_of_one_machine():
    """The project is the same everywhere: where packages come from is set outside it."""
    ignored = {line.strip(" /") for line in (ROOT / ".gitignore").read_text().splitlines()} | {
        ".git"
    }
    # A short root, such as that of a container, is a message like any other.
    forbidden = [HOSTS] + [re.compile(re.escape(str(ROOT)))] * (len(ROOT.parts) > 2)
    naming = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*")
        if path.is_file()
        and not ignored & set(path.relative_to(ROOT).parts)
        and path != Path(__file__)
        and any(
            pattern.search(path.read_text(encoding="utf-8", errors="replace"))
            for pattern in forbidden
        )
    ]

    assert [] == naming


def test_links_in_documents_lead_to_files():
    """A file that moves takes its links along."""
    broken = [
        f"{path.relative_to(ROOT)}: {link}"
        for pattern in ("*.md", "docs/**/*.md", "data/*.md")
        for path in ROOT.glob(pattern)
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
        if "://" not in link and not (path.parent / link).exists()
    ]

    assert [] == broken
