"""The folder of one instance: who runs there, where, and at which addresses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from app.config import Config
from app.host.processes import Busy, hold
from workflows.shared.errors import PayflowError

LOCK = "up.lock"


class SupervisorError(PayflowError):
    """Payflow cannot be started or has not become ready; the message says what to do."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What `up.json` says of a running instance."""

    broker_url: str
    console_url: str
    provider_url: str
    carrier_url: str
    pids: dict[str, int]
    ended: dict[str, str] = {}
    """Why each process that has ended did so last: its last line."""


def running(config: Config) -> Running:
    """Return Payflow that runs on `config.data_dir`; raises SupervisorError when none does."""
    path = config.data_path / "up.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Running)
        os.kill(found.pids["up"], 0)
    except (OSError, msgspec.DecodeError, KeyError) as error:
        text = f"nothing runs on {config.data_path}; start it with: payflow up"
        raise SupervisorError(text) from error
    return found


def worker_url(config: Config, service: str, pid: int) -> str:
    """Return the URL of the worker `pid`, or nothing yet."""
    path = config.data_path / "run" / f"{service}-{pid}.url"
    return path.read_text() if path.exists() else ""


def forget_urls(config: Config) -> None:
    """Remove the addresses of workers that ran before."""
    for stale in (config.data_path / "run").glob("*.url"):
        stale.unlink()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make and lock `folder`: a second supervisor is refused with the holder's pid."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = hold(folder / LOCK)
    except Busy as error:
        text = f"{error}. Operator: stop that one first, or choose another PAYFLOW_DATA_DIR"
        raise SupervisorError(text) from error
    with lock:
        yield
