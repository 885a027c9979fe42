"""Topics of the subject notification."""

from workflows.notification.messages import (
    NotificationFailed,
    NotificationMessage,
    NotificationWithheld,
    RequestMessage,
    SendMessage,
)
from workflows.shared.topic import by, declare

notifications = declare(
    "notifications",
    NotificationMessage,
    key=by("transaction_id"),
    writer="notification",
    traced=True,
    kinds={"failure": (NotificationFailed, NotificationWithheld)},
)
notification_requests = declare(
    "notification.requests",
    RequestMessage,
    key=by("recipient"),
    writer="notification",
    traced=True,
)
notification_commands = declare(
    "notification.commands",
    SendMessage,
    key=by("transaction_id"),
    writer="notification",
    traced=True,
)
