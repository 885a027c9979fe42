"""No state of the messenger itself: its rows only hold which messages wait for a retry."""

import msgspec

from tables import declare


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Empty: the row around it lists the events that wait."""


messengers = declare(
    "messenger",
    service="notification",
    shape=Queue,
    initial=Queue(),
    help="Messages of each order that are being sent, by order id.",
)
