"""The analytics agent: counts everything, by minute and country.

Consumes   orders, sagas, payments, inventory, fraud, shipments, notifications
Table      analytics
Produces   figures
"""

from app.delivery.agent import Projection, register
from app.wire.envelope import Envelope
from tables.analytics import figures
from workflows.analytics import process as analytics
from workflows.analytics import topics as analytics_topics
from workflows.analytics.process import Figures
from workflows.fraud import topics as fraud_topics
from workflows.inventory import topics as inventory_topics
from workflows.notification import topics as notification_topics
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shared.message import Message
from workflows.shipping import topics as shipping_topics


def rows(_received: Message, envelope: Envelope) -> tuple[str, ...]:
    """Return the one row of this event: the minute it was emitted, and the country of its order."""
    return (analytics.row_of(envelope.time_ms, envelope.baggage.get("country", "")),)


def evolve(state: Figures, received: Message, envelope: Envelope) -> Figures:
    """Return `state` with `received` counted."""
    took_ms = max(envelope.time_ms - envelope.began_ms, 0) if envelope.began_ms else None
    return analytics.count(state, received, took_ms)


analytics_agent = register(
    Projection(
        name="analytics",
        service="analytics",
        consumes=(
            order_topics.orders,
            order_topics.sagas,
            payment_topics.payments,
            inventory_topics.inventory,
            fraud_topics.fraud,
            shipping_topics.shipments,
            notification_topics.notifications,
        ),
        produces=(analytics_topics.figures,),
        table=figures,
        rows=rows,
        evolve=evolve,
        rollup=analytics.rollup,
    )
)
