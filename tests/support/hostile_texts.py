"""Texts on which a regular expression may take the square of their length, or worse.

They are made from the expression itself: what leads to each repetition, the repeated part many
times, and what the expression does not take.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
OF_CATEGORY = {
    codes.CATEGORY_DIGIT: "0",
    codes.CATEGORY_NOT_DIGIT: "a",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_WORD: "a",
    codes.CATEGORY_NOT_WORD: " ",
}
BAD = "\0"
"""What hardly any expression takes."""


def hostile_texts(pattern: re.Pattern[Any], chars: int) -> Iterator[str]:
    """Yield texts of about so many characters, for every repetition in `pattern`."""
    tree = parser.parse(_text(pattern), pattern.flags & ~re.DEBUG)
    for before, part in _repeated(tree, ""):
        for pump in {part, part[:1], part * 2}:
            many = pump * (chars // max(len(pump), 1))
            yield before + many + BAD
            yield many + before + BAD
            yield (before + pump) * (chars // max(len(before + pump), 1)) + BAD


def _text(pattern: re.Pattern[Any]) -> Any:
    return pattern.pattern


def _repeated(tree: Any, before: str) -> Iterator[tuple[str, str]]:
    """Yield the text before each repetition in `tree`, and one round of it."""
    for code, value in tree:
        if code in REPEATS:
            inner = value[2]
            yield before, sample(inner)
            yield from _repeated(inner, before)
        elif code is codes.SUBPATTERN:
            yield from _repeated(value[3], before)
        elif code is codes.ATOMIC_GROUP:
            yield from _repeated(value, before)
        elif code is codes.BRANCH:
            for branch in value[1]:
                yield from _repeated(branch, before)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _repeated(value[1], before)
        before += _sample_of(code, value)


def sample(tree: Any) -> str:
    """Return a short text that `tree` takes, assertions apart."""
    return "".join(_sample_of(code, value) for code, value in tree)


def _sample_of(code: Any, value: Any) -> str:
    if code in REPEATS:
        return sample(value[2]) * max(value[0], 1)
    return SAMPLES[code](value) if code in SAMPLES else ""


def _member(members: Any) -> str:
    code, value = members[0]
    if code is codes.NEGATE:
        return "a"
    if code is codes.RANGE:
        return chr(value[0])
    return OF_CATEGORY[value] if code is codes.CATEGORY else chr(value)


SAMPLES: Mapping[Any, Callable[[Any], str]] = {
    codes.LITERAL: chr,
    codes.NOT_LITERAL: lambda _value: "a",
    codes.ANY: lambda _value: "a",
    codes.IN: _member,
    codes.SUBPATTERN: lambda value: sample(value[3]),
    codes.ATOMIC_GROUP: sample,
    codes.BRANCH: lambda value: sample(value[1][0]),
}
"""What one part takes, by its kind; assertions and references take nothing."""
