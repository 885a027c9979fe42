"""The recipient agent: one row for each customer, which says how many messages they get in a day.

Consumes   notification.requests
Table      recipient
Produces   notification.commands, notifications
"""

from app.delivery.agent import Decider, register
from tables.recipient import recipients
from workflows.notification import quota
from workflows.notification import topics as notification_topics

recipient_agent = register(
    Decider(
        name="recipient",
        service="notification",
        consumes=(notification_topics.notification_requests,),
        produces=(notification_topics.notification_commands, notification_topics.notifications),
        table=recipients,
        decide=quota.decide,
        evolve=quota.evolve,
    )
)
