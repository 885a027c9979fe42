"""The command line: errors are one line that says what to do, never a traceback."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from app.cli import instance
from app.cli.commands import PAYFLOW, WORKFLOWS, Command, Group
from app.cli.main import app, function_at
from app.config import current
from app.registry import load_workflows

COMMANDS = (
    ["order", "ls", "--status", "stuck"],
    ["order", "show", "o1"],
    ["trace", "o1"],
    ["tables", "ls"],
    ["tables", "show", "order"],
    ["topics", "ls"],
    ["topics", "show", "orders"],
    ["topics", "tail", "orders"],
    ["topics", "find", "orders", "key:o1"],
    ["topics", "lag"],
    ["dead", "ls"],
    ["dead", "show", "orders.payment.dead", "0"],
    ["verify"],
    ["faults", "show"],
    ["faults", "set", "provider", "decline=0.2"],
    ["orders", "load", "data/online_retail_2010-12.csv"],
    ["worker", "fraud"],
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder: nothing runs there."""
    monkeypatch.setenv("PAYFLOW_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(instance.err, "width", 300)
    current.cache_clear()
    yield tmp_path
    current.cache_clear()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_without_an_instance_says_how_to_start_one(command: list[str]) -> None:
    """Exit code 1 and the command that helps."""
    result = CliRunner().invoke(app, command)

    assert 1 == result.exit_code
    assert "payflow up" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("command", "phrase"),
    [
        pytest.param(["worker", "frod"], "no such service: frod; there are", id="a service"),
        pytest.param(["faults", "set", "bank", "a=1"], "no such system: bank", id="a system"),
        pytest.param(["demo", "--rate", "-1"], "greater than or equal", id="a rate"),
        pytest.param(["topics", "find", "orders", "kye:o1"], "'kye:o1': there are", id="a term"),
        pytest.param(["up", "--services", "frod"], "no such service: frod", id="a choice"),
    ],
)
def test_a_wrong_name_is_named(command: list[str], phrase: str) -> None:
    """The message says what there is instead."""
    result = CliRunner().invoke(app, command)

    assert result.exit_code in {1, 2}
    assert phrase in " ".join(result.output.split())


FILES = Path(__file__).parent / "order_files"


@pytest.mark.parametrize("command", [["orders", "load"], ["demo", "--file"]], ids=" ".join)
def test_a_dry_run_counts_a_file_and_needs_no_instance(command: list[str]) -> None:
    """Lines by place, refusals with line and reason, and what would be played."""
    file = str(FILES / "c08_open_quote.csv")
    result = CliRunner().invoke(app, [*command, file, "--dry-run", "--dates", "mdy"])

    assert 0 == result.exit_code
    for phrase in ("5 lines: 3 orders, 1 header, 1 refused", "a quote is not closed; line 3"):
        assert phrase in result.output


def test_a_file_that_does_not_decide_is_asked_for() -> None:
    """The error names the file, the line, the column, the value and the option."""
    result = CliRunner().invoke(app, ["orders", "load", str(FILES / "c05_latin1.csv")])

    assert 1 == result.exit_code
    assert "c05_latin1.csv: line 2, column InvoiceDate: '12/1/2010 8:26'" in result.output
    assert "--dates dmy or --dates mdy" in result.output


def test_a_setting_of_no_use_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named."""
    monkeypatch.setenv("PAYFLOW_PARTITONS", "4")
    current.cache_clear()

    result = CliRunner().invoke(app, ["tables", "ls"])

    assert 2 == result.exit_code
    assert "PAYFLOW_PARTITONS" in result.output


@pytest.mark.parametrize(
    "arguments", [["--help"], ["orders", "--help"], ["fraud", "rules", "--help"]], ids=" ".join
)
def test_help_imports_no_engine(arguments: list[str]) -> None:
    """Faust, aiokafka and aiohttp cost seconds; a list of commands needs none of them."""
    program = (
        "import sys\n"
        "from app.cli.main import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        "print('imported:', *sorted({'faust', 'aiokafka', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run(  # what is imported is asked of a process of its own
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "Commands:" in done.stdout
    assert "imported:" == done.stdout.splitlines()[-1].strip()


def commands_by_name(group: Group, *before: str) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield the words that call each command, and the command."""
    for name, one in group.commands.items():
        if isinstance(one, Group):
            yield from commands_by_name(one, *before, name)
        else:
            yield (*before, name), one


def test_the_help_of_a_command_imports_no_faust() -> None:
    """It costs two seconds of a processor. One process is asked for all, the first is named."""
    calls = [list(each) for each, _ in commands_by_name(PAYFLOW)]
    program = (
        "import sys\n"
        "from app.cli.main import app\n"
        f"for each in {calls!r}:\n"
        "    app([*each, '--help'], standalone_mode=False)\n"
        "    if 'faust' in sys.modules:\n"
        "        sys.exit(f'{each} imports faust')\n"
    )
    done = subprocess.run(  # what is imported is asked of a process of its own
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (len(calls), 0) == (done.stdout.count("Usage:"), done.returncode), done.stderr


@pytest.mark.parametrize(
    "command", [one for _, one in commands_by_name(PAYFLOW)], ids=lambda command: command.place
)
def test_a_command_is_listed_by_its_docstring(command: Command) -> None:
    """The list is written beside the names; the command itself shows its docstring."""
    assert command.help == function_at(command.place).__doc__


def test_the_workflows_with_a_command_are_those_that_are_declared():
    """Listed by their folders, so that nothing is imported; `shared` is not a workflow."""
    assert set(WORKFLOWS) == set(load_workflows())


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_is_printed_commands_no_terminal(is_terminal: bool) -> None:
    """Keys, headers and reasons come from outside; styles of our own stay, and line breaks."""
    hostile = "a\x1b]0;title\x07b\x9b31mc\u202ed\rE"
    console = instance.EscapingConsole(file=io.StringIO(), force_terminal=is_terminal, width=200)
    table = Table(hostile)
    table.add_row(hostile)

    console.print(hostile, style="red", markup=False)
    console.print(Text(f"{hostile}\n{hostile}"))
    console.print(table)
    output = console.file.getvalue()  # type: ignore[attr-defined]
    ours = re.sub(r"\x1b\[[0-9;]*m", "", output)

    assert is_terminal == ("\x1b[31m" in output)
    assert not set("\x1b\x07\x9b\u202e\r") & set(ours)
    assert r"\x1b]0;title" in ours
    assert "\n" in ours


def test_json_on_a_terminal_commands_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON itself escapes those of ASCII alone; what is read of it is the same."""
    value = {"a": "\x1b\x9b31m\u202e\u2028 é\n"}

    instance.as_json(value)
    output = capsys.readouterr().out

    assert value == json.loads(output)
    assert not set("\x1b\x9b\u202e\u2028") & set(output)
    assert "é" in output
