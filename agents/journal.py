"""The journal agent: keeps every event of a transaction where it can be found by its id.

Consumes   every traced topic
Table      journal
Produces   nothing
"""

import msgspec

from app.delivery.agent import Projection, register
from app.wire.envelope import Envelope
from app.wire.topics import traced_topics
from tables.journal import entries
from workflows.shared.journal import JournalEntry, row_of
from workflows.shared.message import Message


def entry_of(received: Message, envelope: Envelope) -> JournalEntry:
    """Return the journal entry of `received`."""
    return JournalEntry(
        id=envelope.id,
        type=envelope.type,
        source=envelope.source,
        time_ms=envelope.time_ms,
        causation_id=envelope.causation_id,
        correlation_id=envelope.correlation_id,
        traceparent=envelope.traceparent,
        received_ms=envelope.received_ms,
        body=msgspec.to_builtins(received),
    )


journal_agent = register(
    Projection(
        name="journal",
        service="console",
        consumes=traced_topics(),
        table=entries,
        rows=lambda received, envelope: (row_of(entry_of(received, envelope)),),
        evolve=lambda _state, received, envelope: entry_of(received, envelope),
    )
)
