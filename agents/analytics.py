"""The analytics room: counts everything, by minute and country.

Hears   orders, sagas, payments, inventory, fraud, shipments, notifications
Keeps   analytics
Tells   figures
"""

from app.delivery.agent import open_room
from app.wire import topics
from app.wire.envelope import Envelope
from tables.analytics import figures
from workflows.analytics import process as analytics
from workflows.analytics.process import Figures
from workflows.shared.message import Message


def rows(_heard: Message, head: Envelope) -> tuple[str, ...]:
    """Return the one row of this event: the minute it was told, and the country of its order."""
    return (analytics.row_of(head.time_ms, head.baggage.get("country", "")),)


def fold(memory: Figures, heard: Message, head: Envelope) -> Figures:
    """Return `memory` with `heard` counted."""
    took_ms = max(head.time_ms - head.began_ms, 0) if head.began_ms else None
    return analytics.fold(memory, heard, took_ms)


analytics_room = open_room(
    name="analytics",
    service="analytics",
    hears=(
        topics.orders,
        topics.sagas,
        topics.payments,
        topics.inventory,
        topics.fraud,
        topics.shipments,
        topics.notifications,
    ),
    tells=(topics.figures,),
    keeps=figures,
    rows=rows,
    fold=fold,
    rollup=analytics.rollup,
)
