"""How many messages each customer got in a day, by a digest of the customer."""

from tables import declare
from workflows.notification.quota import INITIAL, Recipient

recipients = declare(
    "recipient",
    service="notification",
    shape=Recipient,
    initial=INITIAL,
    help="How many messages each customer got today, by a digest of the customer.",
    by_transaction=False,
)
