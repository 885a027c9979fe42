"""Words about what operators did: every act is an event, with who and why."""

from workflows.message import Message
from workflows.words.limits import Name, Text


class RedriveBegan(Message, tag="payflow.audit.redrive_began.v1", frozen=True, kw_only=True):
    """Letters are about to be sent back: how many, chosen how. `about` names the redrive."""

    about: Name
    who: Name
    why: Text
    chosen: Text
    letters: int


class RedriveEnded(Message, tag="payflow.audit.redrive_ended.v1", frozen=True, kw_only=True):
    """What came of them."""

    about: Name
    who: Name
    handled: int
    failed_again: int
    unsent: int
    outcome: Text


class LetterRedriven(Message, tag="payflow.audit.letter_redriven.v1", frozen=True, kw_only=True):
    """A letter was sent back to the room that failed. `about`: `topic/partition/offset`."""

    about: Name
    who: Name
    why: Text
    room: Name
    redrive_id: Name


class LetterEdited(Message, tag="payflow.audit.letter_edited.v1", frozen=True, kw_only=True):
    """A letter was sent back with other bytes, as another event; the old one is kept."""

    about: Name
    who: Name
    why: Text
    room: Name
    redrive_id: Name
    event_id_before: str
    event_id: Name
    bytes_sha256: Name


class LetterDropped(Message, tag="payflow.audit.letter_dropped.v1", frozen=True, kw_only=True):
    """A letter needs no handling any more; it stays where it lies."""

    about: Name
    who: Name
    why: Text


AuditWord = RedriveBegan | RedriveEnded | LetterRedriven | LetterEdited | LetterDropped
