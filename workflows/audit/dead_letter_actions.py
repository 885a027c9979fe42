"""Messages about what operators did with dead letters."""

import msgspec

from workflows.shared.limits import Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal


class RedriveBegan(Message, tag="payflow.audit.redrive_began.v1", frozen=True, kw_only=True):
    """Dead letters are about to be sent back: how many, chosen how. `about` names the redrive."""

    about: Name
    who: Name
    why: Text
    chosen: Text
    dead_letters: int = msgspec.field(name="letters")


class RedriveEnded(Message, tag="payflow.audit.redrive_ended.v1", frozen=True, kw_only=True):
    """How many of the dead letters were handled, failed again or were left."""

    about: Name
    who: Name
    handled: int
    failed_again: int
    unsent: int
    outcome: Text


class DeadLetterRedriven(
    Message, tag="payflow.audit.letter_redriven.v1", frozen=True, kw_only=True
):
    """A dead letter was sent back to the agent that failed. `about`: `topic/partition/offset`."""

    about: Name
    who: Name
    why: Text
    agent: Name = msgspec.field(name="room")
    redrive_id: Name


class DeadLetterEdited(Message, tag="payflow.audit.letter_edited.v1", frozen=True, kw_only=True):
    """A dead letter was sent back with other bytes, as another event; the old one is kept."""

    about: Name
    who: Name
    why: Text
    agent: Name = msgspec.field(name="room")
    redrive_id: Name
    event_id_before: str
    event_id: Name
    bytes_sha256: Personal[Name]
    """Of bytes that may name a customer: whoever guesses them could check it."""
    proposed_by: NameIfAny = ""
    """Who proposed it, where two people were needed."""
    worth_minor: int = 0
    """The money in the new event, in the reference currency: what one person edits is summed."""


class DeadLetterEditProposed(
    Message, tag="payflow.audit.letter_edit_proposed.v1", frozen=True, kw_only=True
):
    """An edit waits until another operator enters the same. `about`: the dead letter."""

    about: Name
    who: Name
    why: Text
    edit_id: Name
    """Derived from the new bytes and headers: nobody agrees to others."""


class DeadLetterDiscarded(
    Message, tag="payflow.audit.letter_dropped.v1", frozen=True, kw_only=True
):
    """A dead letter needs no handling any more; it stays where it lies."""

    about: Name
    who: Name
    why: Text


DeadLetterAction = (
    RedriveBegan
    | RedriveEnded
    | DeadLetterRedriven
    | DeadLetterEdited
    | DeadLetterEditProposed
    | DeadLetterDiscarded
)
