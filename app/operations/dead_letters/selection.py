"""Which letters are meant: one, a group, or whatever a filter finds. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from app.operations.dead_letters.dead_letter import Letter
from app.operations.dead_letters.status import State

SHOWN_MAX = 20


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A filter: what is empty says nothing. Times are milliseconds."""

    place: str = ""
    service: str = ""
    cause: str = ""
    stack: str = ""
    topic: str = ""
    """The topic on which it was first heard."""
    type: str = ""
    key: str = ""
    correlation_id: str = ""
    since_ms: int = 0
    until_ms: int = 0

    def meets(self, letter: Letter) -> bool:
        """Return whether `letter` is meant."""
        compared = (
            (self.place, letter.place),
            (self.service, letter.service),
            (self.cause, letter.cause),
            (self.stack, letter.stack),
            (self.topic, letter.home),
            (self.type, letter.type),
            (self.key, (letter.given.key or b"").decode(errors="replace")),
            (self.correlation_id, letter.correlation_id),
        )
        return (
            all(wanted == found for wanted, found in compared if wanted)
            and letter.at_ms >= self.since_ms
            and (not self.until_ms or letter.at_ms < self.until_ms)
        )

    def text(self) -> str:
        """Return the choice as a person reads it."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return ", ".join(f"{name}={value}" for name, value in given.items() if value) or "all"


def chosen(
    letters: Iterable[Letter], standing: Mapping[str, State], choice: Choice
) -> tuple[list[Letter], Counter[str]]:
    """Return the open letters that are meant, in order, and how many others by their state."""
    meant = [letter for letter in letters if choice.meets(letter)]
    others = Counter(standing[each.place] for each in meant if standing[each.place] != "open")
    return [letter for letter in meant if standing[letter.place] == "open"], others


def blast_radius(letters: Iterable[Letter], others: Mapping[str, int]) -> dict[str, Any]:
    """Return what sending `letters` back would touch, for people to read before they do."""
    every = list(letters)
    keys = Counter((letter.given.key or b"").decode(errors="replace") for letter in every)
    return {
        "letters": len(every),
        "left_alone": dict(others),
        "rooms": dict(Counter(letter.room for letter in every)),
        "types": dict(Counter(letter.type or "none" for letter in every)),
        "causes": dict(Counter(letter.cause for letter in every)),
        "keys": len(keys),
        "busiest_keys": dict(keys.most_common(5)),
        "canary": every[0].place if every else "",
        "places": [letter.place for letter in every[:SHOWN_MAX]],
    }
