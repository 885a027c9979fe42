"""The lock of a broker's folder: the broker inherits it, so it is free only when no broker runs."""

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from workflows.shared.errors import PayflowError

FOLDER, LOCK = "kafka", "broker.lock"
ORPHAN_SECONDS_MAX = 20
"""How long a broker whose parent was killed may take to end."""

Log = Callable[[str], object]


class BrokerError(PayflowError):
    """The broker does not run; the message says why and what the operator can do."""


@contextmanager
def alone(folder: Path, log: Log) -> Generator[IO[str]]:
    """Hold the folder's lock; the broker inherits it, so it is free only when no broker runs.

    Waits for a broker whose owner was killed, refuses beside one whose owner lives.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as lock:
        deadline = time.monotonic() + ORPHAN_SECONDS_MAX
        while not _locked(lock):
            pid, owner = _holders(lock)
            if psutil.pid_exists(owner) or time.monotonic() > deadline:
                raise BrokerError(
                    f"a broker runs already on {folder} (pid {pid}, started by pid {owner}). "
                    f"Operator: stop it with `kill {pid}`, or choose another PAYFLOW_DATA_DIR."
                )
            log(f"waiting for the earlier broker (pid {pid}) to end ...")
            time.sleep(1)
        yield lock


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holders(lock: IO[str]) -> tuple[int, int]:
    """Return the pids of the broker and of its parent; 0 while it is being started."""
    lock.seek(0)
    pid, _, owner = lock.read().partition(" ")
    return int(pid or 0), int(owner or os.getpid())


def sign(lock: IO[str], pid: int) -> None:
    """Write the pids of the broker and of this process into the lock."""
    lock.truncate(0)
    lock.write(f"{pid} {os.getpid()}")
    lock.flush()
