"""Masks people in rules: a condition may name a person, and everybody can read it. Pure."""

from collections.abc import Callable

PEOPLE = frozenset({"customer", "card", "device", "address"})
"""Entities whose id identifies a person; a terminal belongs to a shop."""


def without_people(when: object, mask: Callable[[str], str]) -> object:
    """Return the condition `when` with the ids of people in it masked."""
    if isinstance(when, dict):
        return {name: _parts(parts, mask) for name, parts in when.items()}
    if isinstance(when, list | tuple):
        return [without_people(part, mask) for part in when]
    return when


def names_people(when: object) -> bool:
    """Return whether the condition `when` contains the id of a person."""
    return without_people(when, lambda name: f"{name}?") != without_people(when, lambda name: name)


def _parts(parts: object, mask: Callable[[str], str]) -> object:
    if isinstance(parts, list | tuple) and any(_asks_who(part) for part in parts):
        return [_masked(part, mask) for part in parts]
    return without_people(parts, mask)


def _asks_who(part: object) -> bool:
    return isinstance(part, dict) and part.get("field") in PEOPLE


def _masked(part: object, mask: Callable[[str], str]) -> object:
    if isinstance(part, str):
        return mask(part)
    if isinstance(part, list | tuple):
        return [_masked(each, mask) for each in part]
    return without_people(part, mask)
