"""The messages of the customer of each order, by order id."""

from tables import declare
from workflows.notification.process import INITIAL, Notified

notified = declare(
    "notification",
    service="notification",
    shape=Notified,
    initial=INITIAL,
    help="The messages that the customer of each order got, by order id.",
)
