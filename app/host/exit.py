"""Ends this process at once with a message, whatever else fails.

A full disk, a full pipe of the log or a lock held by a hanging thread must not keep it alive.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import structlog

EXIT_UNSAFE = 70
"""The exit code of a process that could not guarantee delivery (EX_SOFTWARE)."""
EXIT_STALLED = 71
"""The exit code of a process that made no progress."""
EXIT_REFUSED = 72
"""The exit code of a worker whose logs are not those that it has applied: see `payflow adopt`."""
LAST_LINE_SECONDS = 5.0
"""How long writing the last message may take."""

log = structlog.get_logger(__name__)


def hard_stop(
    reason: str, code: int = EXIT_UNSAFE, show: Callable[[], None] | None = None
) -> NoReturn:
    """End the process at once, with nothing more committed.

    `show` may print details before the last message.
    """
    with suppress(RuntimeError):
        timer = threading.Timer(LAST_LINE_SECONDS, os._exit, (code,))
        timer.daemon = True
        timer.start()
    if show is not None:
        with suppress(Exception):
            show()
    with suppress(Exception):
        log.critical("process ends uncommitted", reason=reason)
    with suppress(Exception):
        logging.shutdown()
    say(f"payflow: {reason}")
    os._exit(code)


def end_within(seconds: float) -> None:
    """End the process if it still runs after `seconds`: a clean end may wait for ever."""

    def give_up() -> None:
        say(f"payflow: not ended {seconds:.0f} s after it was asked to; what was begun comes again")
        os._exit(EXIT_UNSAFE)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()


def say(line: str) -> None:
    """Write `line` to the real stderr: Faust may have put another in the place of sys.stderr."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode(errors="replace"))
