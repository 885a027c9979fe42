"""The notification agent: decides what the customer is told, once each.

Consumes   sagas, payments, shipments
Table      notification
Produces   notification.commands
"""

from app.delivery.agent import Decider, register
from tables.notification import notified
from workflows.notification import process as notification
from workflows.notification import topics as notification_topics
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shipping import topics as shipping_topics

notification_agent = register(
    Decider(
        name="notification",
        service="notification",
        consumes=(order_topics.sagas, payment_topics.payments, shipping_topics.shipments),
        produces=(notification_topics.notification_commands,),
        table=notified,
        decide=notification.decide,
        evolve=notification.evolve,
    )
)
