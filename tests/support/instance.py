"""A whole instance as a newcomer runs it: its environment, its commands, what they say."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.source import ROOT

PAYFLOW = [sys.executable, "-c", "from app.cli.main import main; main()"]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of an instance of its own in `folder`, with `settings` besides."""
    ports = {"BROKER_PORT": "0", "CONSOLE_PORT": "0", "PROVIDER_PORT": "0", "CARRIER_PORT": "0"}
    variables = {f"PAYFLOW_{name}": value for name, value in ports.items()}
    variables |= {f"PAYFLOW_{name.upper()}": value for name, value in settings.items()}
    return os.environ | variables | {"PAYFLOW_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}


def payflow(folder: Path, *arguments: str, **settings: str) -> Any:
    """Return what a command says as JSON."""
    done = subprocess.run(
        [*PAYFLOW, *arguments, "--json"],
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def wait_for(condition: Any, what: str, log: Path, seconds: float = 120) -> Any:
    """Return what `condition` returns once it is something."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"not in {seconds} s: {what}; {log.read_text()[-2000:]}")


def answered(log: Path) -> Any:
    """Return the JSON that the line for curl in `log` is answered; without a curl it is read."""
    lines = log.read_text().splitlines()
    (line,) = (line for line in lines if "as a client: curl " in line)
    command = line.partition("as a client: ")[2]
    if shutil.which("curl"):
        argv = ["sh", "-c", command]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)
    _, _, carried, url = shlex.split(command)
    name, _, value = carried.partition(": ")
    scheme, _, substituted = value.partition(" $(")
    key = Path(shlex.split(substituted.removesuffix(")"))[1]).read_text().strip()
    request = urllib.request.Request(url, headers={name: f"{scheme} {key}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)
