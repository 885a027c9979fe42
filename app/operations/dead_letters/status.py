"""Where every letter stands, from what lies on the topics and nothing else. Pure.

Resolved means handled, not sent: a letter is handled when the room that failed has taken it
through all its beats and has not laid it aside again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from app.operations.dead_letters.dead_letter import Letter

State = Literal["open", "sent", "handled", "again", "dropped"]
STATES: tuple[State, ...] = ("open", "sent", "handled", "again", "dropped")


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One letter in a redrive topic."""

    redrive_id: str
    of: str
    """The place of the letter."""
    topic: str
    partition: int
    offset: int


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that says where letters stand."""

    letters: tuple[Letter, ...]
    """In the order of their topics: by place and offset."""
    sendings: Mapping[str, Sending]
    """By the place of the letter: a letter is sent back once."""
    through: Mapping[tuple[str, int], int]
    """By topic and partition of redrive topics: the offset the service has committed."""
    parked: frozenset[str] = frozenset()
    """Redrive ids that wait in retry topics."""
    dropped: Mapping[str, str] = {}
    """Place of the letter → why."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Letters that failed alike."""

    service: str
    cause: str
    stack: str
    letters: int
    states: dict[str, int]
    first_ms: int
    latest_ms: int
    example: str


def states(known: Known) -> dict[str, State]:
    """Return the state of every letter by its place."""
    again = {letter.redrive_id for letter in known.letters if letter.redrive_id}
    return {letter.place: _state(letter.place, known, again) for letter in known.letters}


def _state(place: str, known: Known, again: set[str]) -> State:
    sending = known.sendings.get(place)
    if sending is None:
        return "dropped" if place in known.dropped else "open"
    if sending.redrive_id in again:
        return "again"
    passed = known.through.get((sending.topic, sending.partition), 0) > sending.offset
    return "handled" if passed and sending.redrive_id not in known.parked else "sent"


def groups(letters: Iterable[Letter], standing: Mapping[str, State]) -> list[Group]:
    """Return the letters grouped by service, cause and stack, those with most open ones first."""
    found: dict[tuple[str, str, str], list[Letter]] = {}
    for letter in letters:
        found.setdefault((letter.service, letter.cause, letter.stack), []).append(letter)
    shown = [_group(key, members, standing) for key, members in found.items()]
    return sorted(shown, key=lambda group: (-group.states.get("open", 0), group.first_ms))


def _group(
    key: tuple[str, str, str], members: list[Letter], standing: Mapping[str, State]
) -> Group:
    service, cause, stack = key
    return Group(
        service=service,
        cause=cause,
        stack=stack,
        letters=len(members),
        states=dict(Counter(standing[letter.place] for letter in members)),
        first_ms=min(letter.at_ms for letter in members),
        latest_ms=max(letter.at_ms for letter in members),
        example=members[0].place,
    )
