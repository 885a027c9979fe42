"""Topics of the subject notification."""

from workflows.notification.messages import (
    NotificationFailed,
    NotificationMessage,
    SendMessage,
)
from workflows.shared.topic import by, declare

notifications = declare(
    "notifications",
    NotificationMessage,
    key=by("transaction_id"),
    writer="notification",
    traced=True,
    kinds={"failure": (NotificationFailed,)},
)
notification_commands = declare(
    "notification.commands",
    SendMessage,
    key=by("transaction_id"),
    writer="notification",
    traced=True,
)
