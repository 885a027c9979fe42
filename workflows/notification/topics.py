"""Topics of the subject notification."""

from workflows.notification.messages import (
    NotificationFailed,
    NotificationMessage,
    SendMessage,
)
from workflows.shared.topic import by_order, declare

notifications = declare(
    "notifications",
    NotificationMessage,
    key=by_order,
    writer="notification",
    traced=True,
    kinds={"failure": (NotificationFailed,)},
)
notification_commands = declare(
    "notification.commands", SendMessage, key=by_order, writer="notification", traced=True
)
