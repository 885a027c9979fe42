"""Named places where a drill ends or freezes a process: between the beats of the shell."""

import os
import signal

BEATS = ("read", "decided", "laid aside", "on disk", "remembered", "told", "committed")
"""Every place, in the order of one batch."""


class CrashPoint:
    """Ends this process by SIGKILL, or freezes it, at the n-th passing of one beat."""

    def __init__(
        self, beat: str = "", number: int = 0, sign: signal.Signals = signal.SIGKILL
    ) -> None:
        self._beat = beat
        self._left = number
        self._sign = sign

    @classmethod
    def of(cls, text: str) -> "CrashPoint":
        """Return the point in `BEAT:NUMBER[:stop]`; nothing happens for an empty text.

        Raises ValueError naming the beat that there is none of.
        """
        if not text:
            return cls()
        beat, number, *rest = text.split(":")
        if beat not in BEATS:
            raise ValueError(f"there is no beat {beat!r}; there are {', '.join(BEATS)}")
        return cls(beat, int(number), signal.SIGSTOP if rest else signal.SIGKILL)

    def pass_by(self, beat: str) -> None:
        """Pass `beat`; the process may not come out of this."""
        if beat != self._beat:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._sign)
