"""Up to which time a bounded list of names has dropped some: an older event may be a repetition."""

from statistics import median_low

from msgspec import Struct
from msgspec.structs import replace

STRETCH = 32
"""Names whose times are known together: one number for each stretch, not for each name."""
AHEAD_MS_MAX = 1_000
"""How far a time may lie ahead of those of most names noted after it. What lies further ahead is of
a clock that was set back since, and would count every new name as forgotten until then."""


class Forgotten(Struct, frozen=True, kw_only=True):
    """How far back the list of names is complete."""

    until_ms: int = -1
    """A name noted at this time or before it may have been forgotten."""
    stretches_ms: tuple[int, ...] = ()
    """The latest time in each stretch of names that are all remembered, oldest first."""
    noted: int = 0
    """How many names the newest stretch has; 0 once it is full."""


def note(forgotten: Forgotten, at_ms: int, *, names: int, names_max: int) -> Forgotten:
    """Return `forgotten` after one more name was noted at `at_ms`.

    `names`: how many names the memory held before, of `names_max`, a multiple of STRETCH. The name
    that it drops is in the oldest stretch, which counts as forgotten whole.
    """
    # Names of a row of before their times were noted are older than this one.
    before = -(-names // STRETCH)
    *full, newest = forgotten.stretches_ms or (at_ms,) * (before + 1)
    if forgotten.stretches_ms and not forgotten.noted:
        full, newest = [*full, newest], at_ms
    until_ms = forgotten.until_ms
    if len(full) * STRETCH >= names_max:
        dropped_ms, *full = full
        until_ms = max(until_ms, min([dropped_ms, *_latest(full)]))
    return replace(
        forgotten,
        until_ms=until_ms,
        stretches_ms=(*full, max(newest, at_ms)),
        noted=(forgotten.noted + 1) % STRETCH,
    )


def _latest(later_ms: list[int]) -> list[int]:
    """Return the latest time that is believed of a stretch which those of `later_ms` came after.

    It is that of the middle one, so that neither a clock that was wrong for less than half of the
    memory nor a few commands that came late decide it.
    """
    return [median_low(later_ms) + AHEAD_MS_MAX] if later_ms else []
