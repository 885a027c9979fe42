"""Selects dead letters: one, a group, or all that a filter finds. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypedDict

import msgspec

from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import State

SHOWN_MAX = 20


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A filter, whose empty fields select everything. Times are milliseconds."""

    place: str = ""
    service: str = ""
    cause: str = ""
    stack: str = ""
    topic: str = ""
    """The topic on which it was first received."""
    type: str = ""
    key: str = ""
    correlation_id: str = ""
    since_ms: int = 0
    until_ms: int = 0

    def meets(self, dead_letter: DeadLetter) -> bool:
        """Return whether the filter selects `dead_letter`.

        It compares what people see: guesses about what is masked get no answer.
        """
        compared = (
            (self.place, dead_letter.place),
            (self.service, dead_letter.service),
            (self.cause, dead_letter.cause),
            (self.stack, dead_letter.stack),
            (self.topic, dead_letter.first_topic),
            (self.type, dead_letter.shown_type),
            (self.key, dead_letter.shown_key if self.key else ""),
            (self.correlation_id, dead_letter.shown_correlation_id),
        )
        return (
            all(expected == actual for expected, actual in compared if expected)
            and dead_letter.at_ms >= self.since_ms
            and (not self.until_ms or dead_letter.at_ms < self.until_ms)
        )

    def text(self) -> str:
        """Return the filter in text for people."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return ", ".join(f"{name}={value}" for name, value in fields.items() if value) or "all"


def select_open(
    dead_letters: Iterable[DeadLetter], statuses: Mapping[str, State], choice: Choice
) -> tuple[list[DeadLetter], Counter[str]]:
    """Return the open dead letters selected, in order, and the number of others by status."""
    meant = [dead_letter for dead_letter in dead_letters if choice.meets(dead_letter)]
    others = Counter(statuses[each.place] for each in meant if statuses[each.place] != "open")
    return [dead_letter for dead_letter in meant if statuses[dead_letter.place] == "open"], others


class BlastRadius(TypedDict):
    """What a redrive would touch: counts by name, and places of some of the dead letters."""

    dead_letters: int
    left_alone: dict[str, int]
    agents: dict[str, int]
    types: dict[str, int]
    causes: dict[str, int]
    keys: int
    busiest_keys: dict[str, int]
    canary: str
    places: list[str]


def blast_radius(dead_letters: Iterable[DeadLetter], others: Mapping[str, int]) -> BlastRadius:
    """Return what a redrive of `dead_letters` would touch, for people to read first."""
    every = list(dead_letters)
    keys = Counter(dead_letter.shown_key for dead_letter in every)
    return {
        "dead_letters": len(every),
        "left_alone": dict(others),
        "agents": dict(Counter(dead_letter.agent for dead_letter in every)),
        "types": dict(Counter(dead_letter.shown_type or "none" for dead_letter in every)),
        "causes": dict(Counter(dead_letter.cause for dead_letter in every)),
        "keys": len(keys),
        "busiest_keys": dict(keys.most_common(5)),
        "canary": every[0].place if every else "",
        "places": [dead_letter.place for dead_letter in every[:SHOWN_MAX]],
    }
