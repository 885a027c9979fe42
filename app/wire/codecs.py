"""Bytes to messages and back: the only module that knows the form of a body."""

from functools import cache
from typing import Any

import msgspec

from app.wire.byte_limits import BODY_BYTES_MAX, OPEN_BODY_BYTES_MAX
from app.wire.envelope import Envelope, Undecodable, from_headers, to_headers
from app.wire.topics import load_topics
from workflows.shared.message import Message
from workflows.shared.topic import message_type_of, topic_of, topic_of_type

# Topics declare their messages, so all must be declared before a message is decoded or produced.
load_topics()

_encode = msgspec.json.Encoder().encode


class Poison(Undecodable):
    """These bytes can never become a message. `cause` is a short label, the message says where."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause


def encode(message: Any) -> bytes:
    """Return `message` as JSON."""
    return _encode(message)


def decode(body: bytes | None, envelope: Envelope, key: bytes | None) -> Message:
    """Return the message in `body`.

    Raises Poison where it is not JSON, has an unknown type or a wrong shape, is too large or too
    deep, or lies under another key than its own.
    """
    if body is None:
        raise Poison("tombstone", "the body is empty")
    message = message_type_of(envelope.type)
    most = body_bytes_max(message)
    if len(body) > most:
        raise Poison("too_large", f"{len(body):,} bytes, at most {most:,}")
    if message is None:
        raise Poison("unknown_type", envelope.type[:200])
    try:
        emitted = _decoder(message).decode(body)
    except msgspec.ValidationError as error:
        raise Poison("wrong_shape", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison("not_json", str(error)) from error
    except RecursionError as error:
        raise Poison("too_deep", "nested deeper than the decoder goes") from error
    due = topic_of(emitted).key(emitted).encode()
    if key != due:
        raise Poison("wrong_key", f"key {(key or b'')[:80]!r}, the body belongs under {due[:80]!r}")
    return emitted


def body_bytes_max(message: type[Message] | None) -> int:
    """Return how many bytes the body of a `message` may have; None: of an unknown type."""
    is_open = message is not None and topic_of_type(message).open
    return OPEN_BODY_BYTES_MAX if is_open else BODY_BYTES_MAX


def check_readable(message: Message, envelope: Envelope) -> None:
    """Raise Undecodable where those who consume `message` would refuse it.

    A message made by hand keeps no limit yet: its fields, their sums, its size on the wire.
    """
    key = topic_of(message).key(message).encode()
    decode(encode(message), from_headers(to_headers(envelope)), key)


def decode_emitted(body: bytes | msgspec.Raw) -> Message:
    """Return the message in `body`, which Payflow has encoded: its tag names the type."""
    message = message_type_of(_type_of.decode(body).type)
    if message is None:
        raise Poison("unknown_type", "the message's type is no longer declared")
    return _decoder(message).decode(body)


class _Tagged(msgspec.Struct):
    type: str


_type_of = msgspec.json.Decoder(_Tagged)


@cache
def _decoder(message: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(message)
