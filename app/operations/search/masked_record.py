"""One record as it may be shown: personal parts are masked before anything is shown or sought.

Nothing is decoded before it is asked for: a search by key never opens a body.
"""

import re
from functools import cached_property
from typing import Any

import msgspec

from app.host.logs import MASK, PERSONAL, mask_personal
from app.wire import codecs
from app.wire.envelope import Undecodable, from_headers
from workflows.shared.message import type_name
from workflows.shared.topic import declared

KEYED_BY_PERSON = frozenset(
    type_name(message) for topic in declared.values() for message in topic.people.keys
)
"""Messages whose key is a person. Of all others it is an id, or an entity with its kind."""
NAME_FIELDS = {
    type_name(message): fields
    for topic in declared.values()
    for message, fields in topic.people.fields.items()
}
"""Messages that hold names of any kind, people's too, and where."""

_ENTITY = re.compile(r"\bcustomer:.+", re.DOTALL)
"""An entity of a payment that is a person (`workflows.fraud.entity_messages.EntityKey`), and all
after it."""
_PERSONAL_NAME = re.compile("|".join(sorted(PERSONAL)), re.IGNORECASE)
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def masked_text(text: str) -> str:
    """Return `text` without the person an entity in it may name."""
    return _ENTITY.sub(f"customer:{MASK}", text) if "customer:" in text else text


def masked(value: Any) -> Any:
    """Return plain `value` without personal fields and without people who are entities."""
    return _without_entities(mask_personal(None, "", {"": value})[""])


class MaskedRecord:
    """A record, its parts masked; `opened` says whether its body was opened."""

    def __init__(self, record: Any) -> None:
        self.record = record
        self.opened = False

    @cached_property
    def key(self) -> str:
        """Return the key."""
        text = (self.record.key or b"").decode(errors="backslashreplace")
        return MASK if text and self.type in KEYED_BY_PERSON else masked_text(text)

    @cached_property
    def type(self) -> str:
        """Return the type its envelope names."""
        return next((value for name, value in self._plain if name == "ce_type"), "")

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Return every header, those that are there twice too."""
        hidden = {"ce_subject"} if self.type in KEYED_BY_PERSON else set()
        return [
            (name, MASK if value and (name in PERSONAL or name in hidden) else masked_text(value))
            for name, value in self._plain
        ]

    @cached_property
    def _plain(self) -> list[tuple[str, str]]:
        return [
            (name, (value or b"").decode(errors="backslashreplace"))
            for name, value in self.record.headers
        ]

    @cached_property
    def headers(self) -> dict[str, str]:
        """Return the headers by name, the last of those that share one."""
        return dict(self.pairs)

    @cached_property
    def body(self) -> object:
        """Return the JSON of the body; None when it is none."""
        return self._opened[0]

    @cached_property
    def text(self) -> str:
        """Return the body as text: its JSON written anew, or what can be read of it."""
        body, preview = self._opened
        return _encode(body).decode() if preview is None else preview

    @property
    def broken(self) -> bool:
        """Say whether the body is no JSON."""
        return self._opened[1] is not None

    @cached_property
    def error(self) -> str:
        """Return why this is no event of Payflow; empty when it is one."""
        try:
            envelope = from_headers(self.record.headers)
            codecs.decode(self.record.value, envelope, self.record.key)
        except Undecodable as error:
            return masked_text(str(error))
        return ""

    @cached_property
    def _opened(self) -> tuple[object, str | None]:
        self.opened = True
        value = self.record.value
        if value is None:
            return None, ""
        try:
            return masked(_decode(value)), None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None, _preview(value)


def _without_entities(value: object) -> object:
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, dict):
        kind = value.get("type")
        hidden = NAME_FIELDS.get(kind, ()) if isinstance(kind, str) else ()
        return {
            masked_text(name): MASK if name in hidden and member else _without_entities(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_without_entities(member) for member in value]
    return value


def _preview(value: bytes) -> str:
    """Return `value` as text up to the first personal field: where that ends, nobody can say."""
    text = value.decode(errors="backslashreplace").replace("\x00", "")
    text = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    # A lone surrogate could be neither printed nor sent.
    text = text.encode(errors="backslashreplace").decode()
    personal = _PERSONAL_NAME.search(text)
    return text[: personal.end()] + MASK if personal else masked_text(text)
