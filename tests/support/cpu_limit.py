"""Half a second of CPU, and no more. A busy machine changes nothing: no other clock counts."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CPU_SECONDS = 0.5


class TooLongError(Exception):
    """What is tested was not done in CPU_SECONDS."""


@contextmanager
def cpu_limit() -> Iterator[None]:
    """Raise TooLongError after CPU_SECONDS of this process: `re` looks for signals as it goes.

    Where it goes on until its end, or takes the error for one of its own, it is raised behind it.
    """
    is_over = False

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_over
        is_over = True
        raise TooLongError

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    except Exception:
        if is_over:
            raise TooLongError from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if is_over:
        raise TooLongError
