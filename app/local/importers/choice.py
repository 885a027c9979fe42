"""What a file's own values decide where one value can be read in two ways: dates and decimals.

A value that has one reading is evidence; one that has two is read as the evidence says, and only
where no evidence contradicts. Nothing is guessed.
"""

from collections import Counter

import msgspec

EITHER = "either"
"""What a value says that has two readings."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The reading of a file: `value` is empty where nothing decides."""

    value: str = ""
    decides: bool = False
    """Whether values with two readings are read as `value`."""

    def allows(self, said: str) -> bool:
        """Return whether a value that says `said` can be read in this file."""
        return self.decides if said == EITHER else said in {"", self.value}


class Evidence:
    """What the values of one kind say, and where the first of each was."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, tuple[int, str]] = {}
        """Line and text of the first value by what it says."""

    def add(self, said: str, line: int, text: str) -> None:
        """Note the reading of one value; "" where both readings mean the same."""
        if said:
            self.counts[said] += 1
            self.first.setdefault(said, (line, text))

    @property
    def is_missing(self) -> bool:
        """Return whether some value has two readings, and no value has only one."""
        return set(self.counts) == {EITHER}

    def choose(self, asked: str = "") -> Choice:
        """Return the reading: as asked, or of most values; it decides if no value contradicts."""
        if asked:
            return Choice(value=asked, decides=True)
        ranked = [(said, count) for said, count in self.counts.most_common() if said != EITHER]
        if not ranked:
            return Choice()
        said, most = ranked[0]
        less = ranked[1][1] if len(ranked) > 1 else 0
        return Choice(value=said if most > less else "", decides=not less)
