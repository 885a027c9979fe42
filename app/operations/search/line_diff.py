"""How two texts differ by their lines, at a cost that does not depend on what they hold."""

import difflib
from collections.abc import Sequence

LINES_COMPARED_MAX = 300
"""Compared each with each, once what both texts begin and end with is left out."""
LINES_SHOWN_MAX = 400


def differing(one: Sequence[str], other: Sequence[str], around: int = 0) -> list[str]:
    """Return lines that begin with `-`, `+`, or a space for `around` lines beside those.

    There are LINES_SHOWN_MAX of them at most, then a line that says how many more.
    """
    if len(one) + len(other) <= LINES_COMPARED_MAX:
        lines = _compared(one, other, around)
    else:
        begins = max(_alike(one, other) - around, 0)
        one, other = one[begins:], other[begins:]
        ends = max(_alike(one[::-1], other[::-1]) - around, 0)
        one, other = one[: len(one) - ends], other[: len(other) - ends]
        if len(one) + len(other) <= LINES_COMPARED_MAX:
            # The numbers in these lines would be those behind what was left out.
            lines = [line for line in _compared(one, other, around) if not line.startswith("@@")]
        else:
            lines = [*(f"-{line}" for line in one), *(f"+{line}" for line in other)]
    if len(lines) <= LINES_SHOWN_MAX:
        return lines
    return [*lines[:LINES_SHOWN_MAX], f"+ and {len(lines) - LINES_SHOWN_MAX} lines more"]


def _compared(one: Sequence[str], other: Sequence[str], around: int) -> list[str]:
    lines = difflib.unified_diff(one, other, n=around, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++"))]


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
