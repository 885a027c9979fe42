"""What the customer of each order has been told, by order id."""

from tables import declare
from workflows.notification.process import INITIAL, Told

told = declare(
    "notification",
    service="notification",
    shape=Told,
    initial=INITIAL,
    help="What the customer of each order has been told, by order id.",
)
