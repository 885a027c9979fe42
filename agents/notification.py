"""The notification agent: decides which messages a customer gets, once each.

Consumes   payments, topics of its reactions
Table      notification
Produces   notification.requests, notifications
"""

from app.delivery.agent import Decider, register
from app.wire.topics import reactions_of
from tables.notification import notified
from workflows.notification import process as notification
from workflows.notification import topics as notification_topics
from workflows.payment import topics as payment_topics
from workflows.shared.reaction import reaction_topics

reactions = reactions_of("notification")

notification_agent = register(
    Decider(
        name="notification",
        service="notification",
        consumes=(
            payment_topics.payments,
            *reaction_topics(reactions),
        ),
        produces=(notification_topics.notification_requests, notification_topics.notifications),
        table=notified,
        decide=notification.decide,
        reactions=reactions,
        evolve=notification.evolve,
    )
)
