"""Faults on the command line: names find their system, mistakes are named."""

from collections.abc import Coroutine
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import faults
from app.config import Config
from app.console.api.fault_injection import NO_FAULT, SHAPES
from app.console.pages.fault_injection import MESSAGES
from app.local import fault_switches
from app.local.fault_switches import FaultError, parse


@pytest.mark.parametrize(
    ("text", "faults_by_system"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("decline=0.2", {"provider": {"decline": 0.2}}, id="the provider's own"),
        pytest.param("refuse=0.05", {"carrier": {"refuse": 0.05}}, id="the carrier's own"),
        pytest.param("timeout=0.1", {"provider": {"timeout": 0.1}}, id="both know it: the first"),
        pytest.param("carrier.timeout=0.1", {"carrier": {"timeout": 0.1}}, id="said whose"),
        pytest.param(
            "decline=0.2, refuse=1",
            {"provider": {"decline": 0.2}, "carrier": {"refuse": 1.0}},
            id="several",
        ),
    ],
)
def test_faults_find_their_system(text: str, faults_by_system: dict[str, dict[str, float]]) -> None:
    """A name without a system belongs to the first that has it."""
    assert faults_by_system == parse(text)


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        pytest.param("declin=0.2", "'declin' is not a fault; there are", id="an unknown name"),
        pytest.param("carrier.decline=1", "'carrier.decline' is not a fault", id="another's fault"),
        pytest.param("decline=often", "decline needs a number, not 'often'", id="no number"),
    ],
)
def test_a_mistake_is_named(text: str, objection: str) -> None:
    """The error says what is wrong and what there is."""
    with pytest.raises(FaultError, match=objection):
        parse(text)


def test_the_page_knows_every_fault() -> None:
    """One that it does not know would count as in force for ever, or could not be set there."""
    fault_names = {name for shape in SHAPES.values() for name in shape.__struct_fields__}

    assert fault_names == NO_FAULT | set(MESSAGES)


@pytest.mark.parametrize(
    ("by", "seconds"),
    [
        pytest.param("+25h", 90_000, id="hours"),
        pytest.param("8d", 691_200, id="days"),
        pytest.param("+90s", 90, id="seconds"),
        pytest.param("25", None, id="of what"),
        pytest.param("-1h", None, id="back"),
        pytest.param("+1y", None, id="years"),
    ],
)
def test_clocks_are_moved_ahead_by_what_is_said(
    monkeypatch: pytest.MonkeyPatch, by: str, seconds: int | None
) -> None:
    """Both external systems; what is not a time is a usage error that shows one."""
    moved: list[int] = []

    def advance(_config: Config, _system: str, by_seconds: int) -> dict[str, object]:
        moved.append(by_seconds)
        return {"ahead_seconds": by_seconds}

    def run(answer: Coroutine[Any, Any, Any] | dict[str, object]) -> object:
        return answer

    monkeypatch.setattr(faults, "running_instance", Config)
    monkeypatch.setattr(faults, "run", run)
    monkeypatch.setattr(fault_switches, "advance", advance)
    command = typer.Typer()
    command.command()(faults.clock)

    result = CliRunner().invoke(command, ["--", by])

    assert ([seconds] * 2 if seconds else []) == moved
    assert (0 if seconds else 2) == result.exit_code
    assert seconds is not None or "+25h" in result.output
