"""What a file's own values decide where one value can be read in two ways: dates and decimals.

A value that has one reading is evidence; one that has several is read as the evidence says, and
only where no evidence contradicts. Nothing is guessed.
"""

from collections import Counter

import msgspec

Said = frozenset[str]
"""The readings that a value can have and that differ; none where all of them mean the same."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The reading of a file: `value` is empty where nothing decides."""

    value: str = ""
    decides: bool = False
    """Whether values with several readings are read as `value`."""
    is_asked: bool = False
    """Whether somebody has said so; else the file has decided."""

    def allows(self, readings: Said) -> bool:
        """Return whether a value that has `readings` can be read in this file."""
        return not readings or (self.value in readings and (self.decides or len(readings) == 1))


class Evidence:
    """What the values of one kind say, and where the first of each was."""

    def __init__(self) -> None:
        self.counts: Counter[Said] = Counter()
        self.first: dict[Said, tuple[int, str]] = {}
        """Line and text of the first value by what it says."""

    def add(self, readings: Said, line: int, text: str) -> None:
        """Note the readings of one value."""
        if readings:
            self.counts[readings] += 1
            self.first.setdefault(readings, (line, text))

    @property
    def undecided(self) -> Said:
        """Return the readings of one value between which the file does not decide; none if it does.

        Those of the most values, where several have the same number and one value has two of them.
        """
        best = self._best()
        return next((each for each in self.first if len(each & best) > 1), frozenset()) & best

    def choose(self, option: str = "") -> Choice:
        """Return the reading: as asked, or of most values; it decides if no value contradicts."""
        if option:
            return Choice(value=option, decides=True, is_asked=True)
        best = self._best()
        if len(best) != 1:
            return Choice()
        [value] = best
        return Choice(value=value, decides=all(value in readings for readings in self.counts))

    def _best(self) -> Said:
        """Return the readings that the most values can have."""
        fitting: Counter[str] = Counter()
        for readings, count in self.counts.items():
            fitting.update(dict.fromkeys(readings, count))
        most = max(fitting.values(), default=0)
        return frozenset(each for each, count in fitting.items() if count == most)
