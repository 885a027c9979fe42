"""The analytics agent: counts everything, by minute and country.

Consumes   orders, sagas, payments, inventory, fraud, shipments, notifications
Table      analytics
Produces   figures
"""

from app.delivery.agent import register
from app.wire import topics
from app.wire.envelope import Envelope
from tables.analytics import figures
from workflows.analytics import process as analytics
from workflows.analytics.process import Figures
from workflows.shared.message import Message


def rows(_received: Message, envelope: Envelope) -> tuple[str, ...]:
    """Return the one row of this event: the minute it was emitted, and the country of its order."""
    return (analytics.row_of(envelope.time_ms, envelope.baggage.get("country", "")),)


def fold(state: Figures, received: Message, envelope: Envelope) -> Figures:
    """Return `state` with `received` counted."""
    took_ms = max(envelope.time_ms - envelope.began_ms, 0) if envelope.began_ms else None
    return analytics.fold(state, received, took_ms)


analytics_agent = register(
    name="analytics",
    service="analytics",
    consumes=(
        topics.orders,
        topics.sagas,
        topics.payments,
        topics.inventory,
        topics.fraud,
        topics.shipments,
        topics.notifications,
    ),
    produces=(topics.figures,),
    table=figures,
    rows=rows,
    fold=fold,
    rollup=analytics.rollup,
)
