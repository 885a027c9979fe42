"""Who may import what: Faust only in the worker, and nothing of Payflow in the core."""

import re

import faust
import pytest

from app.worker import transport
from tests.support.source import imports, modules

KNOWS_FAUST = {
    "app/worker/agent_producers.py",
    "app/worker/consumer_thread.py",
    "app/worker/transport.py",
    "app/worker/faust_app.py",
    "app/main.py",
    "app/worker/runner.py",
}
"""The transport, the app, the process and what runs an agent in it: nobody else."""


def test_faust_is_the_version_whose_insides_are_known():
    """app/worker/transport.py replaces parts of it: another version may differ."""
    assert ("0.15.3", "0.15.3") == (faust.__version__, transport.FAUST_VERSION)


def test_another_faust_is_refused_at_start(monkeypatch: pytest.MonkeyPatch):
    """A worker on an unknown Faust would lose events quietly: it does not start."""
    monkeypatch.setattr(faust, "__version__", "0.16.0")

    with pytest.raises(RuntimeError, match=r"0\.16\.0.*0\.15\.3"):
        transport.harden()


def test_only_the_transport_side_knows_faust():
    """The rest of Payflow would run on another stream processor."""
    knowing = {
        module.path.as_posix()
        for module in modules()
        for name in imports(module)
        if name.split(".")[0] in {"faust", "mode"}
    }

    assert set() == knowing - KNOWS_FAUST


def test_the_core_imports_the_standard_library_and_msgspec_alone():
    """Business in, business out."""
    allowed = {
        "workflows", "msgspec", "collections", "dataclasses", "decimal", "enum", "functools",
        "itertools", "math", "operator", "re", "statistics", "string", "typing", "bisect",
        "datetime", "csv", "difflib", "fractions", "hashlib", "heapq", "types",
    }  # fmt: skip
    outside = {
        f"{module.path}: {name}"
        for module in modules("workflows")
        for name in imports(module)
        if name.split(".")[0] not in allowed
    }

    assert set() == outside


def test_tables_know_only_the_business():
    """What is remembered is declared, not done."""
    outside = {
        f"{module.path}: {name}"
        for module in modules("tables")
        for name in imports(module)
        if name.split(".")[0] not in {"tables", "workflows", "msgspec", "typing"}
    }

    assert set() == outside


def test_only_the_registry_knows_the_agents():
    """app/registry.py imports them; everybody else sees values."""
    knowing = {
        module.path.as_posix()
        for module in modules("app")
        for name in imports(module)
        if name.split(".")[0] == "agents"
    }

    assert {"app/registry.py"} == knowing


def test_modules_are_imported_by_name_where_what_is_declared_is_found():
    """A text that names a module is seen by no contract: nobody else may import by one."""
    by_name = {
        "app/__init__.py",  # the packages that extensions join
        "app/cli/main.py",  # a command, when it is called
        "app/composition.py",  # the docstring of an agent
        "app/entrypoints/requests.py",
        "app/registry.py",  # whether an agent has its file
        "app/wire/topics.py",
        "agents/provider.py",  # a library that takes a second to import, from below
    }
    knowing = {
        module.path.as_posix()
        for module in modules()
        if "importlib" in module.text or "__import__" in module.text
    }

    assert by_name == knowing


def test_only_the_configuration_reads_the_environment():
    """A setting that is read elsewhere is a setting that nobody finds."""
    reading = [
        module.path.as_posix()
        for module in modules()
        if "os.environ" in module.text or "getenv" in module.text
    ]

    assert ["app/config.py"] == reading


def test_how_many_partitions_a_topic_has_is_asked_of_one_function():
    """A topic may have another number than all others; tables all have the same."""
    knows_tables = {
        "app/wire/topics.py",
        "app/worker/faust_app.py",
        "app/console/api/context.py",
        "app/console/api/tables.py",
        "app/console/api/transactions.py",
        "app/operations/replay/run.py",
    }
    asking = {
        module.path.as_posix()
        for module in modules("app", "agents")
        if re.search(r"\bconfig\.partitions\b", module.text)
    }

    assert knows_tables == asking
