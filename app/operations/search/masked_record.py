"""One record with its personal parts masked, before it is shown or searched.

Parts are decoded on demand: a search by key never decodes a body. Each is cut before anything is
done with it, so that a record costs no more than one of Payflow's, whoever produced it.
"""

from functools import cached_property
from typing import Any

import msgspec

from app.delivery.row import row_type
from app.wire import codecs
from app.wire.envelope import Undecodable, from_headers
from app.wire.personal import (
    MASK,
    is_keyed_by_person,
    is_typed,
    masked,
    masked_body,
    masked_bytes,
    masked_detail,
    masked_text,
    personal_names,
)
from app.wire.records import DEAD_DIGEST, HISTORY, UnreadableBatch, unreadable_text
from app.wire.signing import SIGNATURE
from app.wire.topics import table_of

PART_BYTES_MAX = 4_096
"""Of a key and of each header; a term has fewer characters, so no term equals what was cut."""
HEADERS_MAX, HEADER_NAME_CHARS_MAX = 200, 200
JSON_BYTES_MAX = 2_000_000
"""A longer body is a text like any that is not JSON: each object of it would be a hundred bytes."""
KNOWN_HEADERS = (
    *("ce_", "traceparent", "tracestate", "baggage", "content-type"),
    *("x-dead-", "x-retry-", "x-redrive-", "x-origin", "x-edited-from", SIGNATURE),
)
"""How the names of headers begin that events have; the values of others are anybody's."""
GUESSABLE = frozenset({HISTORY, DEAD_DIGEST})
"""Headers of JSON, and of a digest without a key: whoever guesses the bytes would see it."""
DETAILS = frozenset({"x-dead-detail", "x-retry-cause"})

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class MaskedRecord:
    """A record, its parts masked."""

    def __init__(self, record: Any) -> None:
        self.record = record

    @cached_property
    def key(self) -> str:
        """Return the key."""
        key = self.record.key or b""
        if not key.isascii() and not _is_text(key):
            return masked_bytes(key)
        is_person = is_keyed_by_person(self.type, self.record.topic)
        return MASK if key and is_person else masked_text(_text(key))

    @cached_property
    def type(self) -> str:
        """Return the type its envelope names."""
        return next((value for name, value in self._plain if name == "ce_type"), "")

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Return every header, also repeated ones."""
        hidden = personal_names()
        if is_keyed_by_person(self.type, self.record.topic):
            hidden |= {"ce_subject"}
        return [(masked_text(name), _header(name, value, hidden)) for name, value in self._plain]

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
        """Return the body as text: its JSON encoded anew, or what stands for it."""
        body, stand_in = self._opened
        return _encode(body).decode() if stand_in is None else stand_in

    @property
    def broken(self) -> bool:
        """Return whether the body is not JSON of a declared type, or too long to be read."""
        return self._opened[1] is not None

    @cached_property
    def error(self) -> str:
        """Return why this is not an event of Payflow; empty when it is one."""
        if isinstance(self.record.value, UnreadableBatch):
            return unreadable_text(self.record, self.record.value)
        try:
            envelope = from_headers(self.record.headers)
            codecs.decode(self.record.value, envelope, self.record.key)
        except Undecodable as error:
            return masked_detail(str(error))
        return ""

    @cached_property
    def _opened(self) -> tuple[object, str | None]:
        value = self.record.value
        if value is None:
            return None, ""
        if len(value) > JSON_BYTES_MAX:
            return None, masked_bytes(value)
        try:
            body, table = _decode(value), table_of(self.record.topic)
            if table is not None and isinstance(body, dict | list):
                return masked(body, row_type(table)), None
            if table is None and is_typed(body, self.type):
                return masked_body(body, self.type), None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None, masked_bytes(value)
        return None, masked_bytes(value)


def _text(part: bytes | None) -> str:
    return (part or b"")[:PART_BYTES_MAX].decode(errors="backslashreplace")


def _is_text(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return True


def _header(name: str, value: str, hidden: frozenset[str]) -> str:
    """Return the value of a header as it is shown: whole only where Payflow says what it holds."""
    if not value:
        return value
    if name in DETAILS:
        return masked_detail(value)
    if name in hidden or name in GUESSABLE or not name.startswith(KNOWN_HEADERS):
        return MASK
    return masked_text(value)
