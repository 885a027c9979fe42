"""A crash point ends the process where a drill says, and is nothing otherwise."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from app.config import Config, ConfigError
from app.worker.crash_points import CrashPoint
from app.worker.runner import KafkaRuntime

DRILL = """
from app.worker.crash_points import CrashPoint
point = CrashPoint.of("produced:2")
for name in ("read", "produced", "read", "produced", "never"):
    print(name, flush=True)
    point.pass_by(name)
"""


def test_the_second_passing_of_its_checkpoint_ends_the_process():
    """By SIGKILL: nothing is tidied up."""
    done = subprocess.run(
        [sys.executable, "-c", DRILL], capture_output=True, text=True, check=False
    )

    assert (-signal.SIGKILL, ["read", "produced", "read", "produced"]) == (
        done.returncode,
        done.stdout.split(),
    )


def test_an_unknown_checkpoint_is_named():
    """A typing mistake in a drill would otherwise prove nothing."""
    with pytest.raises(ValueError, match=r"'tolled'.*stored"):
        CrashPoint.of("tolled:1")


def test_agents_of_one_process_pass_one_crash_point(monkeypatch):
    """A worker that was frozen, and woke, would be frozen again by its second agent."""
    signals = []
    monkeypatch.setattr(os, "kill", lambda _pid, sign: signals.append(sign))
    app: Any = SimpleNamespace(crash_point=CrashPoint.of("decided:3:stop"))
    first, second = (KafkaRuntime(app, name, Config(), None) for name in ("fraud", "risk"))

    for runtime in (first, second, first, second, second, second):
        runtime.checkpoint("decided")

    assert [signal.SIGSTOP] == signals


@pytest.mark.parametrize("text", ["produced", "produced:", "produced:x", "produced:1:go"])
def test_a_malformed_point_is_refused_by_the_configuration(text):
    """It is read from PAYFLOW_CRASH_AT."""
    with pytest.raises(ConfigError, match="PAYFLOW_CRASH_AT"):
        Config.from_env({"PAYFLOW_CRASH_AT": text})
