"""The notification room: says what the customer is to be told, once each.

Hears   sagas, payments, shipments
Keeps   notification
Tells   notification.commands
"""

from app.delivery.agent import open_room
from app.wire import topics
from tables.notification import told
from workflows.notification import process as notification

notification_room = open_room(
    name="notification",
    service="notification",
    hears=(topics.sagas, topics.payments, topics.shipments),
    tells=(topics.notification_commands,),
    keeps=told,
    decide=notification.decide,
    evolve=notification.evolve,
)
