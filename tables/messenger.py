"""What the messenger remembers: nothing but which of a customer's messages wait for a retry."""

import msgspec

from tables import declare


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Empty: what waits is noted in the row around it."""


messengers = declare(
    "messenger",
    service="notification",
    shape=Queue,
    initial=Queue(),
    help="Messages of each order that are being sent, by order id.",
)
