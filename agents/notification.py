"""The notification agent: says what the customer is to be produced, once each.

Consumes   sagas, payments, shipments
Table      notification
Produces   notification.commands
"""

from app.delivery.agent import register
from app.wire import topics
from tables.notification import notified
from workflows.notification import process as notification

notification_agent = register(
    name="notification",
    service="notification",
    consumes=(topics.sagas, topics.payments, topics.shipments),
    produces=(topics.notification_commands,),
    table=notified,
    decide=notification.decide,
    evolve=notification.evolve,
)
