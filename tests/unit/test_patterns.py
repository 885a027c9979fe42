"""No regular expression takes long, whatever it is given: it has half a second of CPU a text.

Where a text is cut before, the expression is given as much as comes through.
"""

import re
from typing import Any

import pytest

from app.local.importers.numbers import NUMBER_CHARS_MAX, readings
from tests.support.cpu_limit import TooLongError, cpu_limit
from tests.support.hostile_texts import hostile_texts
from tests.support.patterns import every_pattern

CHARS = 50_000
CHARS_OF = {"app/local/importers/numbers.py:CURRENCY": NUMBER_CHARS_MAX}
"""The most characters that come to an expression which takes the square of them."""
MADE_BY_FUNCTIONS = 1
"""Of the forms of numbers, which are given DIGITS_MAX characters."""
PATTERNS, UNKNOWN = every_pattern()


def slow_text(
    pattern: re.Pattern[Any], chars: int, methods: frozenset[str] = frozenset({"search"})
) -> str:
    """Return the beginning of a text on which `pattern` takes too long; empty: there is none."""
    is_bytes = isinstance(pattern.pattern, bytes)
    for text in hostile_texts(pattern, chars):
        subject: Any = text.encode("utf-8", "replace") if is_bytes else text
        try:
            with cpu_limit():
                _use(pattern, methods, subject)
        except TooLongError:
            return text[:60]
    return ""


def _use(pattern: re.Pattern[Any], methods: frozenset[str], subject: Any) -> None:
    if "match" in methods:
        pattern.match(subject)
    if "fullmatch" in methods:
        pattern.fullmatch(subject)
    if methods - {"match", "fullmatch"}:
        # It reads no less than a search for the first place.
        pattern.findall(subject)


def test_no_expression_takes_long() -> None:
    """Each is given what was made for it."""
    slow = {
        place: text
        for place, each in PATTERNS.items()
        if (text := slow_text(each.pattern, CHARS_OF.get(place, CHARS), each.methods))
    }

    assert {} == slow


def test_expressions_are_found() -> None:
    """Those of modules, of types and of calls; few are made of what only a function knows."""
    assert len(PATTERNS) > 60
    assert len(UNKNOWN) == MADE_BY_FUNCTIONS, UNKNOWN


def test_what_is_cut_before_is_cut() -> None:
    """A cell of blanks is not a number, at once."""
    assert {} == readings(" " * 200_000 + "1")


@pytest.mark.parametrize("slow", [r"(a+)+b", r"(\d|\d\d)*x", r"\s+$", r"(a|ab)*c", r"^(x*)*$"])
def test_a_slow_expression_is_seen(slow: str) -> None:
    """By a text that is made from it."""
    assert slow_text(re.compile(slow), CHARS)
