"""Messages to customers: wanted on `notification.requests`, asked on `notification.commands`.

What became of them is emitted on `notifications`.
"""

from typing import Literal

import msgspec

from workflows.shared.limits import Name, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal

Channel = Literal["sms", "push"]


class RequestMessage(Message, tag="payflow.notification.request.v1", frozen=True, kw_only=True):
    """A transaction wants `text` sent; whether this recipient gets more today is to be decided."""

    transaction_id: Name = msgspec.field(name="order_id")
    notification_id: Name
    recipient: Name
    """Of the customer a digest, or the transaction where nobody knows the customer."""
    customer_id: Personal[str] = ""
    channel: Channel
    title: Text
    text: Text
    is_answer: bool = False
    """It answers what somebody asked."""


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


class NotificationWithheld(
    Message, tag="payflow.notification.withheld.v1", frozen=True, kw_only=True
):
    """Not sent: the quota was used up. Its text can be read where it was wanted."""

    transaction_id: Name = msgspec.field(name="order_id")
    notification_id: Name
    channel: Channel
    quota: Name
    """Which quota of `workflows/notification/quota.py`."""
    most: int
    """How many messages that quota allows."""


NotificationMessage = NotificationSent | NotificationFailed | NotificationWithheld
