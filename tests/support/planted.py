"""Messages, rows and records with a marker in every field that may say who somebody is.

Which fields those are is written here by their names, and not read from the marks in their types:
so that a mark that is missing shows.
"""

import itertools
import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from tables import declared as declared_tables
from tests.support.samples import PLAIN, every_message
from workflows.shared.message import Message

PERSONAL = frozenset(
    {
        *("customer", "customer_id", "payment_method", "reference", "description"),
        *("card_id", "device_id", "address_id", "device", "devices", "met", "entity"),
        *("latitude", "longitude", "evidence_text", "email", "phone"),
        *("values", "added", "removed", "rule", "body"),
    }
)
DEGREES = "12.00"
MARKER = re.compile(r"mrk\d+z")


class Markers:
    """Texts and numbers that are nowhere else, with the fields they were planted in."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}
        self._numbers = itertools.count(1_001)

    def text(self, where: str) -> str:
        marker = f"mrk{next(self._numbers)}z"
        self.planted[marker] = where
        return marker

    def degrees(self, where: str) -> float:
        marker = f"{DEGREES}{next(self._numbers)}7"
        self.planted[marker] = where
        return float(marker)

    def shown_in(self, text: str) -> list[str]:
        """Return where the markers were planted that `text` contains."""
        markers = self.planted.keys() & set(MARKER.findall(text))
        markers |= {each for each in self.planted if each.startswith(DEGREES) and each in text}
        return sorted({self.planted[marker] for marker in markers})


def messages(markers: Markers) -> dict[str, Message]:
    """Return one message of every type by its wire name."""
    return {name: _value(kind, "", markers, "") for name, kind in every_message().items()}


def states(markers: Markers) -> dict[str, Any]:
    """Return one state of every table by its name."""
    return {name: _value(table.shape, "", markers, "") for name, table in declared_tables.items()}


def _value(kind: Any, name: str, markers: Markers, owner: str) -> Any:  # noqa: PLR0911  each kind
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Annotated, Union, types.UnionType):
        return _value(arguments[0], name, markers, owner)
    if origin is Literal:
        return arguments[0]
    is_planted = name in PERSONAL
    if origin is tuple:
        return tuple(_value(each, name, markers, owner) for each in arguments if each is not ...)
    if origin is dict:
        if is_planted:
            return {"when": markers.text(f"{owner}.{name}")}
        return {"one": _value(arguments[1], name, markers, owner)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, markers)
    if is_planted and kind is float:
        return markers.degrees(f"{owner}.{name}")
    if is_planted and kind is str:
        return markers.text(f"{owner}.{name}")
    return PLAIN[kind](name) if kind in PLAIN else None


def _struct(kind: type[msgspec.Struct], markers: Markers) -> Any:
    """Return a `kind`: what may be left out is, unless somebody is named in it."""
    hints = get_type_hints(kind, include_extras=True)
    value_by_field: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        before = len(markers.planted)
        value = _value(hints[field.name], field.name, markers, kind.__name__)
        if field.required or len(markers.planted) > before:
            value_by_field[field.name] = value
    return kind(**value_by_field)
