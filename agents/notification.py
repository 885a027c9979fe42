"""The notification room: says what the customer is to be told, once each.

Hears   sagas, payments, shipments
Keeps   notification
Tells   notification.commands
"""

from app import topics
from app.room import open_room
from tables.notification import told
from workflows import notification

notification_room = open_room(
    name="notification",
    service="notification",
    hears=(topics.sagas, topics.payments, topics.shipments),
    tells=(topics.notification_commands,),
    keeps=told,
    decide=notification.decide,
    evolve=notification.evolve,
)
