"""One dead letter, and the record that redrives it. Pure."""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from app.operations.search.masked_record import MaskedRecord
from app.wire import records
from app.wire.envelope import derive_id
from app.wire.personal import masked_detail, masked_text
from app.wire.records import Outgoing, Record, header
from app.wire.signing import keyed_digest
from app.wire.topics import redrive_topic, topic_name

HISTORY_MAX = 20
"""Earlier failures that a dead letter carries in its headers."""
FAILURE_HEADERS = ("x-dead-", "x-retry-", "x-redrive-")
"""Headers about one failure, which a redriven record does not carry."""
OWN_HEADERS = ("ce_", "x-payflow-", *FAILURE_HEADERS)
"""Headers in which Payflow says what a record is: an edit may set the type alone."""
EDITED_TYPE = "ce_type"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One earlier failure of a dead letter."""

    place: str
    cause: str
    detail: str
    agent: str = msgspec.field(name="room")
    """The agent; on the wire it keeps its old name."""
    at: str


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record in a dead topic, with the facts in its headers."""

    record: Record
    at_ms: int

    @property
    def place(self) -> str:
        """Return `topic/partition/offset`: the name of this dead letter."""
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"

    @property
    def service(self) -> str:
        """Return the service that dead-lettered it."""
        return header(self.record, "x-dead-service")

    @property
    def agent(self) -> str:
        """Return the agent that failed."""
        return header(self.record, "x-dead-room")

    @property
    def cause(self) -> str:
        """Return the short name of what went wrong."""
        return header(self.record, "x-dead-cause")

    @property
    def stack(self) -> str:
        """Return the fingerprint of where it went wrong, or nothing."""
        return header(self.record, "x-dead-stack")

    @property
    def first_topic(self) -> str:
        """Return the topic it was first received on."""
        return topic_name(self.record.topic).source

    @property
    def type(self) -> str:
        """Return the type its headers give it, or nothing."""
        return header(self.record, "ce_type")

    @property
    def correlation_id(self) -> str:
        """Return the transaction it belongs to, or nothing."""
        return header(self.record, "ce_correlationid")

    @property
    def shown_key(self) -> str:
        """Return the key as people see it, and as filters compare it."""
        return MaskedRecord(self.record).key

    @property
    def shown_correlation_id(self) -> str:
        """Return the transaction as people see it, and as filters compare it."""
        return masked_text(self.correlation_id)

    @property
    def shown_type(self) -> str:
        """Return the type as people see it, and as filters compare it."""
        return masked_text(self.type)

    @property
    def redrive_id(self) -> str:
        """Return the id of the redrive after which it failed again, or nothing."""
        return header(self.record, records.REDRIVE_ID)

    @property
    def shown_history(self) -> tuple[Failure, ...]:
        """Return the failures before this one as people see them."""
        return tuple(
            replace(each, detail=masked_detail(each.detail), cause=masked_text(each.cause))
            for each in self.history
        )

    @property
    def history(self) -> tuple[Failure, ...]:
        """Return the failures before this one, the oldest first."""
        text = header(self.record, records.HISTORY)
        try:
            return msgspec.json.decode(text, type=tuple[Failure, ...]) if text else ()
        except msgspec.DecodeError:
            # Every producer may write headers: a broken history must not hide the dead letter.
            return ()


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What a dead letter is to become: its bytes, and headers to set."""

    body: bytes
    headers: Mapping[str, str] = {}
    force: bool = False
    """Whether it is sent where it is not an event either."""


def objection_to_headers(headers: Mapping[str, str]) -> str:
    """Return which of `headers` no edit may set; nothing: it may set them all."""
    own = [each for each in headers if each.startswith(OWN_HEADERS) and each != EDITED_TYPE]
    if not own:
        return ""
    return f"header {min(own)[:80]!r} is set by Payflow: of its own, an edit sets {EDITED_TYPE}"


def redrive_id(dead_letter: DeadLetter, body: bytes | None = None, secret: str = "") -> str:
    """Return the id of a redrive of `dead_letter`, with other bytes when `body` is given."""
    changed = [] if body is None else [keyed_digest(secret, body)]
    return derive_id("redrive", dead_letter.place, *changed)


def sent_back(dead_letter: DeadLetter, partition: int) -> Outgoing:
    """Return the record that redrives `dead_letter` to the agent that failed, and to no other."""
    return _outgoing(dead_letter, partition, dead_letter.record.value, {}, redrive_id(dead_letter))


def edited(
    dead_letter: DeadLetter, partition: int, body: bytes, changes: Mapping[str, str], secret: str
) -> Outgoing:
    """Return the record that redrives `dead_letter` with other bytes, as another event.

    `changes` are headers to set. The id is derived from the old one, or the origin, and the new
    bytes: the same edit for every service that dead-lettered the event is one event for all of
    them. Ids are shown where bodies are masked: without the signing key, the `secret`, whoever
    guesses the new bytes would see that he is right.
    """
    before = header(dead_letter.record, "ce_id")
    event = before or header(dead_letter.record, "x-dead-origin")
    new = {"ce_id": derive_id("edited", event, keyed_digest(secret, body)), **changes}
    headers = {**new, "x-edited-from": before or "none"}
    return _outgoing(dead_letter, partition, body, headers, redrive_id(dead_letter, body, secret))


def edit_id(dead_letter: DeadLetter, edit: Edit, secret: str) -> str:
    """Return the id of an edit: another one for other bytes or headers."""
    parts = [edit.body, *(repr(each).encode() for each in sorted(edit.headers.items()))]
    digests = [keyed_digest(secret, part) for part in parts]
    return derive_id("edit", dead_letter.place, *digests)


def sha256(body: bytes) -> str:
    """Return the SHA-256 of `body` in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def _outgoing(
    dead_letter: DeadLetter,
    partition: int,
    body: bytes | None,
    changes: Mapping[str, str],
    mark: str,
) -> Outgoing:
    headers = {
        name: value
        for name, value in dead_letter.record.headers
        if not name.startswith(FAILURE_HEADERS)
    }
    headers |= {name: value.encode() for name, value in changes.items()}
    own: dict[str, bytes] = {
        records.ORIGIN: header(dead_letter.record, "x-dead-origin").encode(),
        records.REDRIVE_ID: mark.encode(),
        records.REDRIVE_OF: dead_letter.place.encode(),
        records.REDRIVE_TOPIC: dead_letter.first_topic.encode(),
        records.HISTORY: msgspec.json.encode(
            [*dead_letter.history, _failed(dead_letter)][-HISTORY_MAX:]
        ),
    }
    return Outgoing(
        topic=redrive_topic(dead_letter.agent),
        key=dead_letter.record.key,
        value=body,
        headers=list((headers | own).items()),
        partition=partition,
    )


def _failed(dead_letter: DeadLetter) -> Failure:
    return Failure(
        place=dead_letter.place,
        cause=dead_letter.cause,
        detail=header(dead_letter.record, "x-dead-detail")[:300],
        agent=dead_letter.agent,
        at=header(dead_letter.record, "x-dead-time"),
    )
