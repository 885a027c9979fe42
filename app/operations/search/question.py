"""What a search process is asked and answers: frames of JSON over its stdin and stdout.

A frame has four bytes that say its length, then a struct of this module or an event of a scan.
"""

import asyncio
import struct
from typing import Literal

import msgspec

from app.kafka.errors import KAFKA_ERRORS, InspectionError, NoSuchTopic
from app.operations.search.query import BadTerm, parse
from app.operations.search.scan import ScanRequest
from app.operations.search.scan_events import Done, Found, ScanState
from app.operations.search.starts import Start

LENGTH = struct.Struct(">I")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A scan of `topic`, as it was asked for: its terms and its expression are read in there."""

    topic: str
    terms: tuple[str, ...] = ()
    cel: str = ""
    start: Start = Start()
    limit: int | None = None
    bytes_max: int | None = None
    seconds: float | None = None
    follow: bool = False

    def request(self) -> ScanRequest:
        """Return it for a scan. Raises BadTerm; reading an expression may take for ever."""
        return ScanRequest(
            wanted=parse(self.terms, self.cel),
            start=self.start,
            limit=self.limit,
            bytes_max=self.bytes_max,
            seconds=self.seconds,
            follow=self.follow,
        )


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """The question can be answered: events follow, the last of them Done."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The question cannot be answered, or not to its end."""

    what: Literal["term", "topic", "kafka"]
    detail: str
    field: str = ""

    def error(self) -> BadTerm | InspectionError:
        """Return the error that it stands for."""
        match self.what:
            case "term":
                return BadTerm(self.detail, self.field)
            case "topic":
                return NoSuchTopic(self.detail)
            case "kafka":
                return InspectionError(self.detail)


Answer = Begun | Found | ScanState | Done | Refused
REFUSED = (BadTerm, *KAFKA_ERRORS)
"""Errors that whoever asked gets."""

decode_question = msgspec.json.Decoder(Question).decode
decode_answer = msgspec.json.Decoder(Answer).decode
_encode = msgspec.json.Encoder().encode


def refused(error: Exception) -> Refused:
    """Return one of REFUSED as an answer."""
    if isinstance(error, BadTerm):
        return Refused(what="term", detail=str(error), field=error.field)
    return Refused(what="topic" if isinstance(error, NoSuchTopic) else "kafka", detail=str(error))


def framed(value: Question | Answer) -> bytes:
    """Return `value` as a frame."""
    data = _encode(value)
    return LENGTH.pack(len(data)) + data


async def next_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Return the content of the next frame; None where the other side has ended."""
    try:
        [length] = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
