"""Child processes: they end with their parent, write to a log, and are ended by their pid."""

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, ClassVar

from workflows.shared.errors import ErrorKind, PayflowError

_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
RESTART_SECONDS = 0.2
RESTART_SECONDS_MAX = 10.0
HEALTHY_SECONDS = 60.0
"""A process that has run for so long counts as started successfully."""

PORTS_TRIED_MAX = 20
"""How many free ports may be claimed by instances that start at the same time."""
OTHERS = 0o077
FREE_BYTES_MIN = 4 << 20
"""A worker that starts allocates about so much at once, for RocksDB's logs."""
LOG_BYTES_MAX = 64 << 20
"""Of one log file; there are two of each process."""
REASON_CHARACTERS_MAX = 1_000
"""How much of a last line is shown: it may be anybody's."""


def die_with_parent() -> None:
    """Ask the kernel to end this process when the thread that started it ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def keep_files_ours() -> None:
    """Let nobody else read or write the files that this process and its children make.

    Tables, messages to customers and logs name people, and a data folder that was there before has
    the mode that somebody gave it.
    """
    os.umask(OTHERS)


def full_folder(folder: Path) -> str:
    """Return the text on a folder whose disk has no space; "" while it has some."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return ""
    free = disk.f_bavail * disk.f_frsize
    # Some file systems have no fixed number of files: they say 0 of 0.
    if free >= FREE_BYTES_MIN and (disk.f_favail or not disk.f_files):
        return ""
    return f"{folder} is full: {FREE_BYTES_MIN >> 20} MiB are not free. Operator: make room there"


class Busy(PayflowError):
    """Another process holds the folder; the message names both."""

    kind: ClassVar[ErrorKind] = "conflict"


def hold(path: Path) -> IO[str]:
    """Hold the lock file `path` until it is closed or this process ends, however it ends.

    Raises Busy naming the process that holds it.
    """
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        pid = lock.read() or "?"
        lock.close()
        raise Busy(f"{path.parent} is in use by process {pid}") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def restarts_in_a_row(before: int, ran_seconds: float) -> int:
    """Return how many restarts in a row count for one that ended after `ran_seconds`."""
    return 0 if ran_seconds >= HEALTHY_SECONDS else before


def wait_seconds(restarts: int) -> float:
    """Return how long to wait after `restarts` in a row: longer each time, up to ten seconds."""
    # The power of a day of restarts would overflow a float.
    return min(RESTART_SECONDS * 2 ** min(restarts, 10), RESTART_SECONDS_MAX)


def claimed_port(host: str, preferred_port: int) -> tuple[int, Callable[[], None]]:
    """Return a free port, `preferred_port` if it is one, and how to give up the claim on it.

    A child binds the port seconds later: an instance that starts meanwhile must choose another.
    """
    for candidate in (preferred_port, *[0] * PORTS_TRIED_MAX):
        port = free_port(host, candidate)
        claim = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":
                # A name that begins with a zero byte has no file, and goes with its process.
                claim.bind(f"\0payflow-port-{port}")
        except OSError:
            claim.close()
            continue
        return port, claim.close
    raise OSError(f"no free port on {host}")


def free_port(host: str, preferred_port: int) -> int:
    """Return `preferred_port` when it is free, otherwise any free port."""
    for port in (preferred_port, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {host}")


def url_of(host: str, port: int) -> str:
    """Return the address of a site on `host`, which may be an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Child:
    """One child process, restarted under the same name when it has ended."""

    def __init__(
        self, name: str, command: Sequence[str], environment: dict[str, str], log_path: Path
    ) -> None:
        self.name = name
        self.log_path = log_path
        self.restarts = -1
        self.in_a_row = 0
        """Restarts since it last ran long enough to count as healthy."""
        self.started_at = 0.0
        """When it was last started (monotonic seconds)."""
        self._command = list(command)
        self._environment = environment
        self.once: dict[str, str] = {}
        """Environment variables for the next start only, for drills."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the id of the process; 0 before the first start."""
        return self._process.pid if self._process else 0

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """Return the process of the latest start."""
        return self._process

    @property
    def running(self) -> bool:
        """Return whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Return how it ended; negative for a signal, None while it lives."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, its output appended to its log."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.restarts += 1
        self.started_at = time.monotonic()
        environment, self.once = self._environment | self.once, {}
        with self.log_path.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  commands of our own
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal is for the supervisor, which stops everyone in order.
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  one system call, loaded beforehand
            )

    def terminate(self) -> None:
        """End it by SIGTERM."""
        if self._process is not None and self.running:
            self._process.terminate()

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait()

    def reason(self) -> str:
        """Return why it ended last: the signal, or the last line of its log."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"ended by signal {-code}"
        return self.last_lines(1)[:REASON_CHARACTERS_MAX]

    def rotate_log(self, bytes_max: int = LOG_BYTES_MAX) -> None:
        """Move what its log holds to `NAME.log.1` when that is much. Raises OSError."""
        if not self.log_path.exists() or self.log_path.stat().st_size <= bytes_max:
            return
        # The process appends to the open file, so it is copied and emptied, not renamed.
        shutil.copyfile(self.log_path, self.log_path.with_suffix(".log.1"))
        os.truncate(self.log_path, 0)

    def last_lines(self, lines: int = 8) -> str:
        """Return the end of its log."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
