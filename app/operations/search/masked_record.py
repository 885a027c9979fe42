"""One record with its personal parts masked, before it is shown or searched.

Parts are decoded on demand: a search by key never decodes a body. Each is cut before anything is
done with it, so that a record costs no more than one of Payflow's, whoever produced it.
"""

import re
from functools import cache, cached_property
from typing import Any

import msgspec

from app.delivery.row import row_type
from app.wire import codecs
from app.wire.envelope import Undecodable, from_headers
from app.wire.personal import (
    MASK,
    is_keyed_by_person,
    masked,
    masked_body,
    masked_text,
    personal_names,
)
from app.wire.records import UnreadableBatch, unreadable_text
from app.wire.topics import table_of

PART_BYTES_MAX = 4_096
"""Of a key and of each header; a term has fewer characters, so no term equals what was cut."""
HEADERS_MAX, HEADER_NAME_CHARS_MAX = 200, 200
JSON_BYTES_MAX = 2_000_000
"""A longer body is a text like any that is no JSON: each object of it would be a hundred bytes."""
TEXT_BYTES_MAX = 64_000
"""Of a body that is no JSON: what lies behind is neither shown nor searched."""

# A run of backslashes is read once, from its first: else each of them would begin a search.
_ESCAPED = re.compile(r"(?<!\\)\\+u([0-9a-fA-F]{4})")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class MaskedRecord:
    """A record, its parts masked."""

    def __init__(self, record: Any) -> None:
        self.record = record

    @cached_property
    def key(self) -> str:
        """Return the key."""
        text = _text(self.record.key)
        return MASK if text and is_keyed_by_person(self.type) else masked_text(text)

    @cached_property
    def type(self) -> str:
        """Return the type its envelope names."""
        return next((value for name, value in self._plain if name == "ce_type"), "")

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Return every header, also repeated ones."""
        hidden = personal_names()
        if is_keyed_by_person(self.type):
            hidden |= {"ce_subject"}
        return [
            (masked_text(name), MASK if value and name in hidden else masked_text(value))
            for name, value in self._plain
        ]

    @cached_property
    def _plain(self) -> list[tuple[str, str]]:
        return [
            (name[:HEADER_NAME_CHARS_MAX], _text(value))
            for name, value in self.record.headers[:HEADERS_MAX]
        ]

    @cached_property
    def headers(self) -> dict[str, str]:
        """Return the headers by name; of repeated ones the last."""
        return dict(self.pairs)

    @cached_property
    def body(self) -> object:
        """Return the JSON of the body; None when it is not JSON."""
        return self._opened[0]

    @cached_property
    def text(self) -> str:
        """Return the body as text: its JSON encoded anew, or its readable part."""
        body, preview = self._opened
        return _encode(body).decode() if preview is None else preview

    @property
    def broken(self) -> bool:
        """Return whether the body is not JSON, or too long to be read as such."""
        return self._opened[1] is not None

    @cached_property
    def error(self) -> str:
        """Return why this is no event of Payflow; empty when it is one."""
        if isinstance(self.record.value, UnreadableBatch):
            return unreadable_text(self.record, self.record.value)
        try:
            envelope = from_headers(self.record.headers)
            codecs.decode(self.record.value, envelope, self.record.key)
        except Undecodable as error:
            return masked_text(str(error))
        return ""

    @cached_property
    def _opened(self) -> tuple[object, str | None]:
        value = self.record.value
        if value is None:
            return None, ""
        if len(value) > JSON_BYTES_MAX:
            return None, preview(value)
        try:
            body = _decode(value)
            table = table_of(self.record.topic)
            shown = masked_body(body, self.type) if table is None else masked(body, row_type(table))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None, preview(value)
        return shown, None


def _text(part: bytes | None) -> str:
    return (part or b"")[:PART_BYTES_MAX].decode(errors="backslashreplace")


@cache
def _personal_name() -> re.Pattern[str]:
    return re.compile("|".join(sorted(personal_names())), re.IGNORECASE)


def preview(value: bytes) -> str:
    """Return the beginning of `value` as text, up to the first personal field.

    The end of that one is unknown. What is cut off lies behind: no value begins before its name.
    """
    text = value[:TEXT_BYTES_MAX].decode(errors="backslashreplace").replace("\x00", "")
    text = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    # A lone surrogate could be neither printed nor sent.
    text = text.encode(errors="backslashreplace").decode()
    personal = _personal_name().search(text)
    return text[: personal.end()] + MASK if personal else masked_text(text)
