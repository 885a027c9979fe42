"""The journal room: keeps every event of a transaction where it can be found by its id.

Hears   orders, sagas, payments, provider.commands, provider.answers, provider.webhooks, inventory,
        fraud, fraud.checks, shipments, carrier.commands, carrier.answers, carrier.webhooks,
        notifications, notification.commands, ledger
Keeps   journal
Tells   nothing
"""

import msgspec

from app.delivery.agent import open_room
from app.wire import topics
from app.wire.envelope import Envelope
from tables.journal import entries
from workflows.shared.journal import JournalEntry, row_of
from workflows.shared.message import Message


def entry_of(heard: Message, head: Envelope) -> JournalEntry:
    """Return `heard` as it is kept."""
    return JournalEntry(
        id=head.id,
        type=head.type,
        source=head.source,
        time_ms=head.time_ms,
        causation_id=head.causation_id,
        correlation_id=head.correlation_id,
        traceparent=head.traceparent,
        heard_ms=head.heard_ms,
        body=msgspec.to_builtins(heard),
    )


journal_room = open_room(
    name="journal",
    service="console",
    hears=(
        topics.orders,
        topics.sagas,
        topics.payments,
        topics.provider_commands,
        topics.provider_answers,
        topics.provider_webhooks,
        topics.inventory,
        topics.fraud,
        topics.fraud_checks,
        topics.shipments,
        topics.carrier_commands,
        topics.carrier_answers,
        topics.carrier_webhooks,
        topics.notifications,
        topics.notification_commands,
        topics.ledger,
    ),
    keeps=entries,
    rows=lambda heard, head: (row_of(entry_of(heard, head)),),
    fold=lambda _memory, heard, head: entry_of(heard, head),
)
