"""The command `payflow dead` for an instance of the test agent."""

import json
import subprocess
import sys
from typing import Any

from app.config import Config
from tests.support.workers import ROOT, environment, read


def redriver(config: Config, *arguments: str) -> subprocess.Popen[str]:
    """Start `payflow dead ...` for Payflow of the test agent."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.programs.redriver", "dead", *arguments],
        env=environment(config),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def payflow(config: Config, *arguments: str) -> Any:
    """Return what `payflow dead ...` says as JSON."""
    output, errors = redriver(config, *arguments, "--json").communicate(timeout=90)
    assert output, errors
    return json.loads(output)


async def count(config: Config, topic: str, partitions: int) -> int:
    return len(await read(config, topic, partitions))
