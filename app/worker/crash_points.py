"""Named places where a drill ends or freezes a process: between the checkpoints of the engine."""

import os
import signal

CHECKPOINTS = ("read", "decided", "set aside", "on disk", "stored", "produced", "committed")
"""Every place, in the order of one batch."""


class CrashPoint:
    """Kills this process (SIGKILL) or freezes it (SIGSTOP) at the n-th passing of a checkpoint."""

    def __init__(
        self, checkpoint: str = "", number: int = 0, sign: signal.Signals = signal.SIGKILL
    ) -> None:
        self._checkpoint = checkpoint
        self._left = number
        self._sign = sign

    @classmethod
    def of(cls, text: str) -> "CrashPoint":
        """Return the point in `CHECKPOINT:NUMBER[:stop]`; nothing happens for an empty text.

        Raises ValueError naming a checkpoint that does not exist.
        """
        if not text:
            return cls()
        checkpoint, number, *rest = text.split(":")
        if checkpoint not in CHECKPOINTS:
            raise ValueError(f"no checkpoint {checkpoint!r}; there are {', '.join(CHECKPOINTS)}")
        return cls(checkpoint, int(number), signal.SIGSTOP if rest else signal.SIGKILL)

    def pass_by(self, checkpoint: str) -> None:
        """Pass `checkpoint`; the process may not come out of this."""
        if checkpoint != self._checkpoint:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._sign)
