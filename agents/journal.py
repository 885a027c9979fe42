"""The journal agent: keeps every event of a transaction where it can be found by its id.

Consumes   orders, sagas, payments, provider.commands, provider.answers, provider.webhooks,
           inventory, fraud, fraud.checks, shipments, carrier.commands, carrier.answers,
           carrier.webhooks, notifications, notification.commands, ledger
Table      journal
Produces   nothing
"""

import msgspec

from app.delivery.agent import register
from app.wire.envelope import Envelope
from tables.journal import entries
from workflows.fraud import topics as fraud_topics
from workflows.inventory import topics as inventory_topics
from workflows.ledger import topics as ledger_topics
from workflows.notification import topics as notification_topics
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shared.journal import JournalEntry, row_of
from workflows.shared.message import Message
from workflows.shipping import topics as shipping_topics


def entry_of(received: Message, envelope: Envelope) -> JournalEntry:
    """Return `received` as it is kept."""
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
    name="journal",
    service="console",
    consumes=(
        order_topics.orders,
        order_topics.sagas,
        payment_topics.payments,
        payment_topics.provider_commands,
        payment_topics.provider_answers,
        payment_topics.provider_webhooks,
        inventory_topics.inventory,
        fraud_topics.fraud,
        fraud_topics.fraud_checks,
        shipping_topics.shipments,
        shipping_topics.carrier_commands,
        shipping_topics.carrier_answers,
        shipping_topics.carrier_webhooks,
        notification_topics.notifications,
        notification_topics.notification_commands,
        ledger_topics.ledger,
    ),
    table=entries,
    rows=lambda received, envelope: (row_of(entry_of(received, envelope)),),
    fold=lambda _state, received, envelope: entry_of(received, envelope),
)
