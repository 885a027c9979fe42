"""The messenger agent: sends messages to customers; it retries failures, and then gives up.

Consumes   notification.commands
Table      messenger
Produces   notifications
"""

from collections.abc import Sequence

from app.delivery.agent import Caller, register
from app.gateways.notifier import load, send_message
from tables.messenger import messengers
from workflows.notification import topics as notification_topics
from workflows.notification.messages import NotificationFailed, SendMessage
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message


def give_up(message: SendMessage, reason: str) -> Sequence[Message]:
    """Return that the message has not reached the customer."""
    return (
        NotificationFailed(
            transaction_id=message.transaction_id,
            notification_id=message.notification_id,
            channel=message.channel,
            reason=reason[:TEXT_CHARS_MAX],
        ),
    )


messenger_agent = register(
    Caller(
        name="messenger",
        service="notification",
        consumes=(notification_topics.notification_commands,),
        produces=(notification_topics.notifications,),
        table=messengers,
        call=send_message,
        prepare=load,
        give_up=give_up,
        retries=True,
    )
)
