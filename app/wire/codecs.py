"""Bytes to words and back: the only module that knows the form of a body."""

from functools import cache
from typing import Any

import msgspec

from app.wire import topics
from app.wire.envelope import Envelope
from workflows.shared.message import Message

BODY_BYTES_MAX = 1_000_000
"""Larger bodies are poison: Kafka's own default limit for a record is about the same."""
OPEN_BODY_BYTES_MAX = 900_000
"""Of what others tell: the house repeats some of it, and must stay below its own limit."""

_encode = msgspec.json.Encoder().encode


class Poison(ValueError):
    """These bytes can never become a word. `cause` is a short label, the message says where."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause


def encode(word: Any) -> bytes:
    """Return `word` as JSON."""
    return _encode(word)


def decode(body: bytes | None, envelope: Envelope, key: bytes | None) -> Message:
    """Return the word in `body`.

    Raises Poison for what is no JSON, of an unknown type or a wrong shape, too large, too deep,
    or filed under a key that is not its own.
    """
    if body is None:
        raise Poison("tombstone", "the body is empty")
    word = topics.word_of(envelope.type)
    most = OPEN_BODY_BYTES_MAX if word and topics.carrier_of(word).open else BODY_BYTES_MAX
    if len(body) > most:
        raise Poison("too_large", f"{len(body)} bytes, at most {most}")
    if word is None:
        raise Poison("unknown_type", envelope.type[:200])
    try:
        told = _decoder(word).decode(body)
    except msgspec.ValidationError as error:
        raise Poison("wrong_shape", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison("not_json", str(error)) from error
    except RecursionError as error:
        raise Poison("too_deep", "nested deeper than the decoder goes") from error
    due = topics.topic_of(told).key(told).encode()
    if key != due:
        raise Poison("wrong_key", f"key {(key or b'')[:80]!r}, the body belongs under {due[:80]!r}")
    return told


def decode_told(body: bytes | msgspec.Raw) -> Message:
    """Return the word in `body`, which the house itself has encoded: its own tag says which."""
    word = topics.word_of(_type_of.decode(body).type)
    if word is None:
        raise Poison("unknown_type", "a word was told that is no longer declared")
    return _decoder(word).decode(body)


class _Tagged(msgspec.Struct):
    type: str


_type_of = msgspec.json.Decoder(_Tagged)


@cache
def _decoder(word: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(word)
