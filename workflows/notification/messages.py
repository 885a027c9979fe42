"""Messages to customers: asked on `notification.commands`, emitted on `notifications`."""

from typing import Literal

import msgspec

from workflows.shared.limits import Name, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal

Channel = Literal["sms", "push"]


class SendMessage(Message, tag="payflow.notification.send.v1", frozen=True, kw_only=True):
    """Send `text` to the customer; `notification_id` is the same whenever it is repeated."""

    transaction_id: Name = msgspec.field(name="order_id")
    notification_id: Name
    customer_id: Personal[str] = ""
    channel: Channel
    title: Text
    text: Text


class NotificationSent(Message, tag="payflow.notification.sent.v1", frozen=True, kw_only=True):
    """The channel has taken the message."""

    transaction_id: Name = msgspec.field(name="order_id")
    notification_id: Name
    channel: Channel


class NotificationFailed(Message, tag="payflow.notification.failed.v1", frozen=True, kw_only=True):
    """Given up; the customer got no message."""

    transaction_id: Name = msgspec.field(name="order_id")
    notification_id: Name
    channel: Channel
    reason: Text


NotificationMessage = NotificationSent | NotificationFailed
