"""Figures as people read them: times, lengths of time, sizes. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

KILO = 1_000
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000


def moment(at_ms: int | None) -> str:
    """Return a time (ms since 1970) as people write it, in UTC, to the millisecond."""
    if not at_ms:
        return "never"
    try:
        at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at_ms % 1_000:03}"


def span(ms: float | None) -> str:
    """Return a length of time (ms) in the unit that fits."""
    if ms is None:
        return "-"
    size, sign = abs(ms), "-" if ms < 0 else ""
    if size < SECOND_MS:
        return f"{sign}{size:.0f} ms"
    if size < MINUTE_MS:
        return f"{sign}{size / SECOND_MS:.1f} s"
    if size < HOUR_MS:
        return f"{sign}{size // MINUTE_MS:.0f} min {size % MINUTE_MS // SECOND_MS:.0f} s"
    if size < DAY_MS:
        return f"{sign}{size // HOUR_MS:.0f} h {size % HOUR_MS // MINUTE_MS:.0f} min"
    return f"{sign}{size // DAY_MS:.0f} d {size % DAY_MS // HOUR_MS:.0f} h"


def tone(status: str, *, ended: bool) -> str:
    """Return the class of the style sheet that colours the status of a transaction."""
    if status == "stuck":
        return "bad"
    if not ended:
        return "warn"
    return "dim" if status == "cancelled" else "good"


def volume(count: float | None) -> str:
    """Return a number of bytes in the unit that fits."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if count < KILO or unit == "GB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= KILO
    raise AssertionError("unreachable")


def commas(names: Iterable[object]) -> str:
    """Return names in one line."""
    return ", ".join(str(name) for name in names)
