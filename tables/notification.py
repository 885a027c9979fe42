"""The messages of the customer of each order, by order id."""

from tables import declare
from workflows.notification.process import INITIAL, SentMessages

notified = declare(
    "notification",
    service="notification",
    shape=SentMessages,
    initial=INITIAL,
    help="The messages that the customer of each order got, by order id.",
)
