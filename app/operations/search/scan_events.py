"""What a scan says: records that it finds, how far it is, and at last why it stopped."""

from typing import Literal

import msgspec

from app.operations.search.record_view import RecordView

Why = Literal["end", "limit", "size", "time", "runaway", "cancelled"]
"""`size`: what was found is as long as an answer may be. `runaway`: one record took too much of the
processor, and the process that read it was ended."""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """The offsets read of one partition: `first` to `last`, both included."""

    partition: int
    begin: int
    """The first offset that the partition still has."""
    first: int
    last: int
    """`first` - 1 when nothing was."""
    end: int
    """Its end at the start of the scan: one after the last offset."""


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """A record that is wanted."""

    record: RecordView


class ScanState(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """The state of a running scan."""

    scanned: int
    matched: int
    bytes: int
    coverage: tuple[Coverage, ...]
    cursor: str


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """Why the scan stopped, and the offsets that it read."""

    why: Why
    scanned: int
    matched: int
    bytes: int
    unreadable: int
    """Found records that are not events of Payflow. Of others nothing is said: whether one was read
    depends on text in it that may be masked."""
    errors: int
    """Records for which the expression has no answer."""
    error: str = ""
    """The error of the first of them."""
    coverage: tuple[Coverage, ...]
    elapsed_seconds: float
    cursor: str
    """The cursor from which to go on."""


Event = Found | ScanState | Done
