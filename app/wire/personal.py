"""Masks personal data by the type of a record.

`workflows.shared.personal` marks it. The type is that of a message by its wire name, that of a
table's state, or that of the Struct at hand. What a record holds besides, fields that its type
does not declare and bytes of no known type, is masked whole. Values outside records (fields of a
log line, what a workflow shows of a state) are judged by name: those names are derived from the
marks of all that is declared.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import msgspec
from msgspec.structs import replace

import tables
from app.config import current
from app.wire.personal_layout import Layout, layout_of
from app.wire.topics import load_tables, load_topics, topic_name
from workflows.shared.journal import JournalEntry
from workflows.shared.message import Message
from workflows.shared.personal import ContactDetails
from workflows.shared.topic import TIMERS, declared, message_type_of, topic_of_type

MASK = "***"

_ENTITY = re.compile(r"\b(customer|(?:card|device|address)(?=:\S)):.+", re.DOTALL)
"""An entity of a payment that identifies a person (`workflows.fraud.entity_messages.EntityKey`),
and all after it. A terminal belongs to a shop."""
_ENTITIES = ("customer:", "card:", "device:", "address:")
_QUOTED = re.compile(r"(?<!\w)b?['\"](.*['\"]|.*)", re.DOTALL)
"""From the first quotation mark to the last one: what is quoted may have some in it."""


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
    if not any(kind in text for kind in _ENTITIES):
        return text
    return _ENTITY.sub(rf"\1:{MASK}", text)


def masked_lines(text: str) -> str:
    """Return `text` of many lines, each masked on its own: the rest of a trace stays."""
    return "\n".join(map(masked_text, text.split("\n")))


def masked_detail(text: str) -> str:
    """Return why something failed without the values that it quotes: they may be of anybody."""
    return masked_text(_QUOTED.sub(f"'{MASK}'", text))


def masked_bytes(value: bytes) -> str:
    """Return what stands for bytes of which nothing is known: their length, and a digest.

    The digest needs the signing key, or whoever guesses the bytes would see that he is right.
    """
    key = hashlib.sha256(current().signing_key.encode()).digest()
    digest = hashlib.blake2b(value, key=key, digest_size=8).hexdigest()
    return f"{MASK} ({len(value):,} bytes, digest {digest})"


def masked(value: object, kind: object = None) -> Any:
    """Return plain `value`, of the type `kind` where that is known, with personal data masked."""
    layout = None if kind is None else layout_of(kind)
    return _Walk(_hide, masked_text).through(value, layout)


def impersonal(value: object, kind: object) -> Any:
    """Return plain `value` of the type `kind` without what its fields say of people.

    For comparing: unlike what is `masked`, texts that may be shown stay as they are.
    """
    return _Walk(_hide, str).through(value, layout_of(kind))


def is_typed(body: object, type_name: str = "") -> bool:
    """Return whether the decoded `body` of a record of this wire name is of a declared type."""
    kind = _message_in(body) or message_type_of(type_name)
    return isinstance(body, dict) and kind is not None


def masked_body(body: object, type_name: str = "") -> Any:
    """Return the decoded `body` of a record of the wire name `type_name`, masked.

    The type that the body names goes before that of its envelope. One of neither is masked whole.
    """
    if _is_empty(body):
        return body
    if not is_typed(body, type_name):
        return {MASK: MASK} if isinstance(body, dict) else MASK
    return masked(body, _message_in(body) or message_type_of(type_name))


def masked_entry(entry: JournalEntry) -> JournalEntry:
    """Return an event of the journal, masked: by the type in its body, else by that beside it."""
    texts = {
        name: masked_text(value)
        for name in entry.__struct_fields__
        if isinstance(value := getattr(entry, name), str)
    }
    return replace(entry, **texts, body=masked_body(entry.body, entry.type))


def masked_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a log line, masked however deep they lie."""
    walk = _Walk(_hide, masked_lines)
    return {name: walk.member(name, value) for name, value in fields.items()}


def personal_parts(body: object, type_name: str = "") -> dict[str, set[str]]:
    """Return the personal texts in the decoded `body` of a message in clear, by field."""
    texts_by_field: dict[str, set[str]] = {}

    def gather(name: str, value: object) -> object:
        texts_by_field.setdefault(name, set()).update(_texts(value))
        return value

    _Walk(gather, str).through(body, _layout_of_type(type_name))
    return {name: texts for name, texts in texts_by_field.items() if texts}


def is_keyed_by_person(type_name: str, topic: str = "") -> bool:
    """Return whether the key of messages of this wire name holds a personal field.

    Of a record of no type of `topic`: also whether that of any message of the topic does.
    """
    message, name = message_type_of(type_name), topic_name(topic)
    source = declared.get(name.source or name.text)
    kinds = [] if source is None or message in source.messages else [*source.messages]
    return any(map(_has_personal_key, [*kinds, *([] if message is None else [message])]))


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


def _is_empty(value: object) -> bool:
    """Return whether nothing is there. 0 is a value: a place may lie on the equator."""
    return value is None or (isinstance(value, str | bytes | Mapping | list | tuple) and not value)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, Mapping):
        return _texts(list(cast("Mapping[object, object]", value).values()))
    if isinstance(value, list | tuple):
        return [text for member in cast("list[object]", value) for text in _texts(member)]
    return []


def _message_of(type_name: object) -> type[Message] | None:
    return message_type_of(type_name) if isinstance(type_name, str) else None


def _message_in(body: object) -> type[Message] | None:
    """Return the message that the tag of `body` names."""
    return _message_of(_tag_in(body))


def _tag_in(body: object) -> object:
    return cast("dict[object, object]", body).get("type") if isinstance(body, dict) else None


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
        if name in personal_names() and not _is_empty(value):
            return self._hide(name, value)
        return self.through(value, None)

    def through(self, value: object, layout: Layout | None, name: str = "") -> object:
        """Return `value` of the layout `layout`, in the field `name`."""
        if layout is not None and layout.personal:
            return value if _is_empty(value) else self._hide(name, value)
        if layout is not None and layout.opaque:
            layout = _layout_of_type(_tag_in(value)) or Layout(personal=True)
            return self.through(value, layout, name)
        if isinstance(value, str):
            # In the place of a Struct a text is of no type.
            is_struct = layout is not None and layout.fields is not None
            return self._hide(name, value) if is_struct and value else self._text(value)
        return self._inside(value, layout, name)

    def _inside(self, value: object, layout: Layout | None, name: str) -> object:
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
        if layout is None or layout.is_free:
            layout = _layout_of_type(value.get("type")) or layout
        elif layout.tagged:
            layout = layout.tagged.get(value.get(layout.tag_field), layout)
        fields = None if layout is None else layout.fields
        members = None if layout is None else layout.members
        mapping: dict[str, object] = {}
        tag = "type" if layout is None else layout.tag_field
        for key, member in value.items():
            field = str(key)
            if fields is not None and field in fields:
                mapping[self._text(field)] = self.through(member, fields[field], field)
            elif members is not None and members.personal:
                mapping[self._text(field)] = self.through(member, members, name)
            elif fields is not None and field != tag and not _is_empty(member):
                # No declared type says that it may be shown.
                mapping[self._text(field)] = self._hide(field, member)
            elif field in personal_names() and not _is_empty(member):
                mapping[self._text(field)] = self._hide(field, member)
            else:
                mapping[self._text(field)] = self.through(member, members, name)
        return mapping

    def _sequence(self, value: list[object], layout: Layout | None, name: str) -> list[object]:
        if layout is None:
            return [self.through(each, None) for each in value]
        places = layout.places
        return [
            self.through(each, places[at] if at < len(places) else layout.members, name)
            for at, each in enumerate(value)
        ]
