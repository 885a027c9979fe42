"""Actions on dead letters as events for the audit: the same action has the same id."""

import msgspec

from app.operations.dead_letters.dead_letter import DeadLetter, redrive_id, sha256
from app.wire import codecs
from app.wire.envelope import Envelope, derive_id, to_headers
from app.wire.records import Outgoing, event_id, header
from workflows.audit import dead_letter_actions as messages
from workflows.audit import topics as audit_topics
from workflows.audit.messages import PersonalRevealed
from workflows.shared.message import type_name


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, why, on what, and when (ms)."""

    who: str
    why: str
    chosen: str = ""
    """How the dead letters were selected, in text."""
    at_ms: int


def audited(message: messages.DeadLetterAction | PersonalRevealed, action: Action) -> Outgoing:
    """Return `message` as an event on the audit topic; the same action has the same id."""
    kind, mark = type_name(type(message)), getattr(message, "redrive_id", "")
    if isinstance(message, messages.DeadLetterEditProposed):
        mark = f"{message.edit_id}/{message.who}"
    if isinstance(message, PersonalRevealed):
        mark = f"{message.who}/{action.at_ms}"
    envelope = Envelope(
        id=derive_id(kind, message.about, mark),
        type=kind,
        source="/payflow/console",
        time_ms=action.at_ms,
        subject=message.about,
        correlation_id=message.about,
    )
    return Outgoing(
        topic=audit_topics.audit.name,
        key=message.about.encode(),
        value=codecs.encode(message),
        headers=to_headers(envelope),
    )


def dead_letter_redriven(dead_letter: DeadLetter, action: Action) -> messages.DeadLetterRedriven:
    """Return the audit message of redriving `dead_letter` as it is."""
    return messages.DeadLetterRedriven(
        about=dead_letter.place,
        who=action.who,
        why=action.why,
        agent=dead_letter.agent,
        redrive_id=redrive_id(dead_letter),
    )


def dead_letter_edited(
    dead_letter: DeadLetter, body: bytes, sent: Outgoing, action: Action, secret: str
) -> messages.DeadLetterEdited:
    """Return the audit message of redriving `dead_letter` as `sent`, with other bytes."""
    return messages.DeadLetterEdited(
        about=dead_letter.place,
        who=action.who,
        why=action.why,
        agent=dead_letter.agent,
        redrive_id=redrive_id(dead_letter, body, secret),
        event_id_before=header(dead_letter.record, "ce_id")[:128],
        event_id=event_id(sent),
        bytes_sha256=sha256(body),
    )
