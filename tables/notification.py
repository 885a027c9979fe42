"""What the customer of each order has been emitted, by order id."""

from tables import declare
from workflows.notification.process import INITIAL, Notified

notified = declare(
    "notification",
    service="notification",
    shape=Notified,
    initial=INITIAL,
    help="What the customer of each order has been told, by order id.",
)
