"""Masks personal data by the type of a record.

`workflows.shared.personal` marks it. The type is that of a message by its wire name, that of a
table's state, or that of the Struct at hand. Fields that no declared type knows (in records of
others, poison, keys of a dict, fields of a log line) are judged by their name: those names are
derived from the marks of all that is declared.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import msgspec

import tables
from app.wire.personal_layout import Layout, layout_of
from app.wire.topics import load_tables, load_topics
from workflows.shared.message import Message
from workflows.shared.personal import ContactDetails
from workflows.shared.topic import TIMERS, declared, message_type_of, topic_of_type

MASK = "***"

_ENTITY = re.compile(r"\bcustomer:.+", re.DOTALL)
"""An entity of a payment that is a person (`workflows.fraud.entity_messages.EntityKey`), and all
after it."""


@cache
def personal_names() -> frozenset[str]:
    """Return the names of all fields that some declared type marks with `Personal`."""
    load_topics()
    load_tables()
    messages = (message for topic in (*declared.values(), TIMERS) for message in topic.messages)
    shapes = (table.shape for table in tables.declared.values())
    names: set[str] = set()
    for kind in (*messages, *shapes, ContactDetails):
        names |= layout_of(kind).names
    return frozenset(names)


def masked_text(text: str) -> str:
    """Return `text` with the id of each person in it masked."""
    return _ENTITY.sub(f"customer:{MASK}", text) if "customer:" in text else text


def masked(value: object, kind: object = None) -> Any:
    """Return plain `value`, of the type `kind` where that is known, with personal data masked."""
    layout = None if kind is None else layout_of(kind)
    return _Walk(_hide, masked_text).through(value, layout)


def masked_body(body: object, type_name: str = "") -> Any:
    """Return the decoded `body` of a record of the wire name `type_name`, masked.

    The type that the body names goes before that of its envelope.
    """
    own = cast("dict[str, object]", body).get("type") if isinstance(body, dict) else None
    kind = None if _message_of(own) else message_type_of(type_name)
    return masked(cast("object", body), kind)


def masked_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a log line, masked however deep they lie. Texts stay as they are."""
    walk = _Walk(_hide, str)
    return {name: walk.member(name, value) for name, value in fields.items()}


def personal_parts(body: object, type_name: str = "") -> dict[str, set[str]]:
    """Return the personal texts in the decoded `body` of a message in clear, by field."""
    found: dict[str, set[str]] = {}

    def gather(name: str, value: object) -> object:
        found.setdefault(name, set()).update(_texts(value))
        return value

    _Walk(gather, str).through(body, _layout_of_type(type_name))
    return {name: texts for name, texts in found.items() if texts}


def is_keyed_by_person(type_name: str) -> bool:
    """Return whether the key of messages of this wire name holds a personal field."""
    message = message_type_of(type_name)
    return message is not None and _has_personal_key(message)


@cache
def _has_personal_key(message: type[Message]) -> bool:
    # A key is a function. Called on a message whose fields hold their own names, it returns the
    # name.
    marks: dict[str, Any] = {name: f"\0{name}\0" for name in message.__struct_fields__}
    key = topic_of_type(message).key(message(**marks))
    parts = layout_of(message).attributes.items()
    return any(marks[name] in key for name, part in parts if part is not None and part.personal)


def _hide(_name: str, _value: object) -> object:
    return MASK


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return _texts(list(cast("Mapping[object, object]", value).values()))
    if isinstance(value, list | tuple):
        return [text for member in cast("list[object]", value) for text in _texts(member)]
    return []


def _message_of(type_name: object) -> type[Message] | None:
    return message_type_of(type_name) if isinstance(type_name, str) else None


def _layout_of_type(type_name: object) -> Layout | None:
    message = _message_of(type_name)
    return None if message is None else layout_of(message)


class _Walk:
    """One walk through a value: `hide` replaces a personal part, `text` masks a text."""

    def __init__(self, hide: Callable[[str, object], object], text: Callable[[str], str]) -> None:
        self._hide = hide
        self._text = text

    def member(self, name: str, value: object) -> object:
        """Return a member that no declared type knows, masked by its name."""
        if name in personal_names() and value:
            return self._hide(name, value)
        return self.through(value, None)

    def through(self, value: object, layout: Layout | None, name: str = "") -> object:
        """Return `value` of the layout `layout`, in the field `name`."""
        if layout is not None and layout.personal:
            return self._hide(name, value) if value else value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value), layout, name)
        if isinstance(value, list | tuple):
            return self._sequence(cast("list[object]", value), layout, name)
        if isinstance(value, msgspec.Struct):
            attributes = layout_of(type(value)).attributes
            return {
                field: self.through(getattr(value, field), attributes[field], field)
                for field in value.__struct_fields__
            }
        return value

    def _mapping(self, value: Mapping[object, object], layout: Layout | None, name: str) -> object:
        if layout is None:
            layout = _layout_of_type(value.get("type"))
        elif layout.tagged:
            layout = layout.tagged.get(value.get(layout.tag_field), layout)
        fields = None if layout is None else layout.fields
        members = None if layout is None else layout.members
        shown: dict[str, object] = {}
        for key, member in value.items():
            field = str(key)
            if fields is not None and field in fields:
                shown[self._text(field)] = self.through(member, fields[field], field)
            elif members is not None and members.personal:
                shown[self._text(field)] = self.through(member, members, name)
            elif field in personal_names() and member:
                shown[self._text(field)] = self._hide(field, member)
            else:
                shown[self._text(field)] = self.through(member, members, name)
        return shown

    def _sequence(self, value: list[object], layout: Layout | None, name: str) -> list[object]:
        if layout is None:
            return [self.through(each, None) for each in value]
        places = layout.places
        return [
            self.through(each, places[at] if at < len(places) else layout.members, name)
            for at, each in enumerate(value)
        ]
