"""The analytics agent: counts everything, by minute, country and workflow.

Consumes   orders, sagas, payments, inventory, fraud, shipments, notifications,
           topics of its figures
Table      analytics
Produces   figures
"""

from app.delivery.agent import Projection, register
from app.wire.envelope import Envelope
from app.wire.topics import load_declarations
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
from workflows.shared.reaction import WORKFLOW
from workflows.shared.topic import topic_of_type
from workflows.shared.workflow import declared
from workflows.shipping import topics as shipping_topics

load_declarations("workflow")
FIGURES = {
    message: name
    for workflow in declared.values()
    for message, name in analytics.figures_of(workflow).items()
} | analytics.COUNTED
"""The figure in which each message counts as one, of every workflow."""
TOPICS = (
    order_topics.orders,
    order_topics.sagas,
    payment_topics.payments,
    inventory_topics.inventory,
    fraud_topics.fraud,
    shipping_topics.shipments,
    notification_topics.notifications,
)
CONSUMED = {topic.name: topic for topic in (*TOPICS, *map(topic_of_type, FIGURES))}


def rows(_received: Message, envelope: Envelope) -> tuple[str, ...]:
    """Return the one row of this event: the minute it was emitted, its country and workflow."""
    country, name = envelope.baggage.get("country", ""), envelope.baggage.get(WORKFLOW, "")
    # The workflow is in the baggage, and anything may be there: an unknown name gets no row of its
    # own.
    workflow = name if name in declared else analytics.UNNAMED
    return (analytics.row_of(envelope.time_ms, country, workflow),)


def evolve(state: Figures, received: Message, envelope: Envelope) -> Figures:
    """Return `state` with `received` counted."""
    took_ms = max(envelope.time_ms - envelope.began_ms, 0) if envelope.began_ms else None
    return analytics.count(state, received, took_ms, FIGURES)


analytics_agent = register(
    Projection(
        name="analytics",
        service="analytics",
        consumes=tuple(CONSUMED.values()),
        produces=(analytics_topics.figures,),
        table=figures,
        rows=rows,
        evolve=evolve,
        rollup=analytics.rollup,
    )
)
