"""The folder of one instance: who runs there, where, and at which addresses."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from app.auth import clients, operators, private_file
from app.config import Config
from app.host.processes import Busy, hold
from app.local import broker_lock
from workflows.shared.errors import PayflowError

LOCK = "up.lock"
CLIENT_KEY = "client.key"
LOCAL_CLIENT = "local"


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


def approver(folder: Path, name: str) -> str:
    """Let one more person approve; return name and token as a program sends them."""
    return f"{name}:{operators.add(folder, name, 'approver')}"


def client_key(config: Config, scopes: Sequence[str]) -> str:
    """Return the key with which this machine's own load asks: the configured one, or its own.

    Its own is that of the client `local`, which is made with `scopes` when there is none; its file
    is for the owner of the folder alone. Raises ClientsError.
    """
    if config.client_key:
        return config.client_key
    path = config.data_path / CLIENT_KEY
    try:
        return private_file.read_bytes(path).decode(errors="replace").strip()
    except FileNotFoundError:
        key = clients.add(config.data_path, LOCAL_CLIENT, scopes)
    private_file.write_new(path, f"{key}\n".encode())
    return key


def example(config: Config, path: str) -> str:
    """Return a command that works: this machine's own client lists what it has at `path`."""
    key = shlex.quote(str(config.data_path / CLIENT_KEY))
    # Some shells look for files by the brackets of an IPv6 address.
    url = shlex.quote(config.console_url + path)
    return f'as a client: curl -H "Authorization: Bearer $(cat {key})" {url}'


def running(config: Config) -> Running:
    """Return Payflow that runs on `config.data_dir`; raises SupervisorError when none does."""
    path = config.data_path / "up.json"
    try:
        instance = msgspec.json.decode(path.read_bytes(), type=Running)
        os.kill(instance.pids["up"], 0)
    except (OSError, msgspec.DecodeError, KeyError) as error:
        text = f"nothing runs on {config.data_path}; start it with: payflow up"
        raise SupervisorError(text) from error
    return instance


def emptied(folder: Path, say: Callable[[str], None]) -> None:
    """Make `folder`, or empty it for an instance that begins anew.

    Raises SupervisorError while an instance runs there or when something else has made it, and
    BrokerError while a broker runs there.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / LOCK).exists():
        text = f"{folder} was made by something else, and would be emptied. Operator: choose"
        raise SupervisorError(f"{text} another PAYFLOW_DATA_DIR")
    # The locks stay: a process that holds one must be found by the next.
    with alone(folder), broker_lock.alone(folder / broker_lock.FOLDER, say):
        _empty(folder, {LOCK, broker_lock.FOLDER})
        _empty(folder / broker_lock.FOLDER, {broker_lock.LOCK})


def _empty(folder: Path, names: set[str]) -> None:
    for path in folder.iterdir():
        if path.name in names:
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


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
