"""One dead letter, and what becomes of it when it is sent back. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from app.wire import envelope
from app.wire import records as record
from app.wire.records import Outgoing, Record, header

HISTORY_MAX = 20
"""Earlier failures that a letter carries with it."""
OF_ONE_STAY = ("x-dead-", "x-retry-", "x-redrive-")
"""Headers that speak of one stay in one place, and do not travel on."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """One earlier failure of a letter."""

    place: str
    cause: str
    detail: str
    room: str
    at: str


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A record in a dead topic: whole, and what it says of itself."""

    given: Record
    at_ms: int

    @property
    def place(self) -> str:
        """Return `topic/partition/offset`: the name of this letter."""
        return f"{self.given.topic}/{self.given.partition}/{self.given.offset}"

    @property
    def service(self) -> str:
        """Return the service that laid it aside."""
        return header(self.given, "x-dead-service")

    @property
    def room(self) -> str:
        """Return the room that failed."""
        return header(self.given, "x-dead-room")

    @property
    def cause(self) -> str:
        """Return the short name of what went wrong."""
        return header(self.given, "x-dead-cause")

    @property
    def stack(self) -> str:
        """Return the fingerprint of where it went wrong, or nothing."""
        return header(self.given, "x-dead-stack")

    @property
    def home(self) -> str:
        """Return the topic it was first heard on."""
        return self.given.topic.removesuffix(f".{self.service}.dead")

    @property
    def type(self) -> str:
        """Return the type its headers give it, or nothing."""
        return header(self.given, "ce_type")

    @property
    def correlation_id(self) -> str:
        """Return the transaction it belongs to, or nothing."""
        return header(self.given, "ce_correlationid")

    @property
    def redrive_id(self) -> str:
        """Return the sending after which it failed again, or nothing."""
        return header(self.given, record.REDRIVE_ID)

    @property
    def history(self) -> tuple[Failed, ...]:
        """Return the failures before this one, the oldest first."""
        text = header(self.given, record.HISTORY)
        try:
            return msgspec.json.decode(text, type=tuple[Failed, ...]) if text else ()
        except msgspec.DecodeError:
            # Anybody may write headers: a history that is none is no reason to hide the letter.
            return ()


def redrive_id(letter: Letter, body: bytes | None = None) -> str:
    """Return the id of sending `letter` back, with other bytes when `body` is given."""
    changed = [] if body is None else [sha256(body)]
    return envelope.derive_id("redrive", letter.place, *changed)


def sent_back(letter: Letter, partition: int) -> Outgoing:
    """Return `letter` on its way to the room that failed, and to no other."""
    return _outgoing(letter, partition, letter.given.value, {}, redrive_id(letter))


def edited(letter: Letter, partition: int, body: bytes, changes: Mapping[str, str]) -> Outgoing:
    """Return `letter` with other bytes on its way to the room that failed, as another event.

    `changes` are headers to set. The id is derived from the old one, or the origin, and the new
    bytes: edited alike for every service that laid it aside, it is one event for all of them.
    """
    before = header(letter.given, "ce_id")
    event = before or header(letter.given, "x-dead-origin")
    new = {"ce_id": envelope.derive_id("edited", event, sha256(body)), **changes}
    said = {**new, "x-edited-from": before or "none"}
    return _outgoing(letter, partition, body, said, redrive_id(letter, body))


def sha256(body: bytes) -> str:
    """Return the SHA-256 of `body` in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def event_id(sent: Outgoing) -> str:
    """Return the id of the event that `sent` carries, or nothing."""
    return next((value.decode() for name, value in sent.headers if name == "ce_id"), "")


def _outgoing(
    letter: Letter, partition: int, body: bytes | None, changes: Mapping[str, str], mark: str
) -> Outgoing:
    kept = {name: value for name, value in letter.given.headers if not name.startswith(OF_ONE_STAY)}
    kept |= {name: value.encode() for name, value in changes.items()}
    own: dict[str, Any] = {
        record.ORIGIN: header(letter.given, "x-dead-origin").encode(),
        record.REDRIVE_ID: mark.encode(),
        record.REDRIVE_OF: letter.place.encode(),
        record.REDRIVE_TOPIC: letter.home.encode(),
        record.HISTORY: msgspec.json.encode([*letter.history, _failed(letter)][-HISTORY_MAX:]),
    }
    return Outgoing(
        topic=record.redrive_topic(letter.room),
        key=letter.given.key,
        value=body,
        headers=list((kept | own).items()),
        partition=partition,
    )


def _failed(letter: Letter) -> Failed:
    return Failed(
        place=letter.place,
        cause=letter.cause,
        detail=header(letter.given, "x-dead-detail")[:300],
        room=letter.room,
        at=header(letter.given, "x-dead-time"),
    )
