"""Which messages a customer gets, when, and on which channel: once each."""

import msgspec
from msgspec.structs import replace

from workflows.notification.instructions import NotifyCustomer
from workflows.notification.messages import Channel, NotificationWithheld, RequestMessage
from workflows.notification.quota import of_transaction, recipient_of
from workflows.notification.texts import (
    confirm_text,
    disputed_refund_texts,
    left_text,
    refund_failed_text,
    voided_text,
)
from workflows.payment.action_messages import PaymentActionRequired
from workflows.payment.capture_messages import PaymentAuthorized, PaymentVoided
from workflows.payment.dispute_messages import PaymentRefundHeld, RefundCoveredByDispute
from workflows.payment.messages import PaymentCompleted, PaymentRefunded, PaymentRefundFailed
from workflows.payment.refund import key_of
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message
from workflows.shared.money import money
from workflows.shared.naming import joined
from workflows.shared.personal import Personal

# --- state ------------------------------------------------------------------


class SentMessages(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that the customer of one transaction got."""

    customer_id: Personal[str] = ""
    notification_ids: tuple[str, ...] = ()
    failed_returns: tuple[str, ...] = ()
    """The keys of refunds that failed after the customer had got a message of them."""
    answers: int = 0
    """How many messages answered what somebody asked."""
    withheld: int = 0
    """How many were not sent, since the quota of the transaction is used up."""


INITIAL = SentMessages()

# --- decide ----------------------------------------------------------------


def decide(state: SentMessages, received: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return the message that `received` asks for, unless it was sent before."""
    message = _message(state, received)
    if message is None or message.notification_id in state.notification_ids:
        return ()
    return (of_transaction(message, len(state.notification_ids), state.answers),)


def _message(state: SentMessages, received: Message) -> RequestMessage | None:  # noqa: PLR0911  one match
    match received:
        case PaymentCompleted(transaction_id=transaction_id):
            amount = money(received.amount_minor, received.currency)
            paid = replace(state, customer_id=received.customer_id)
            return _send(
                paid, transaction_id, "payment", "push", "Payment received", f"{amount} paid."
            )
        case PaymentAuthorized(transaction_id=transaction_id):
            amount = money(received.amount_minor, received.currency)
            held = replace(state, customer_id=received.customer_id)
            text = f"{amount} is held on your card. It is taken when your order leaves us."
            return _send(held, transaction_id, "authorization", "push", "Order received", text)
        case PaymentVoided(transaction_id=transaction_id):
            text = voided_text(received)
            return _send(state, transaction_id, "authorization/voided", "push", "Card freed", text)
        case PaymentRefunded(transaction_id=transaction_id) if _is_news(state, received):
            amount = money(received.amount_minor, received.currency)
            name = f"refund/{key_of(received)}"
            if key_of(received) in state.failed_returns or received.left_minor:
                name += f"/{received.refund_id}"
            text = f"{amount} is on its way back.{left_text(received)}"
            return _send(state, transaction_id, name, "push", "Refund", text)
        case PaymentRefundFailed(transaction_id=transaction_id, was_refunded=True):
            name = f"refund failed/{received.refund_id}"
            text = refund_failed_text(received)
            return _send(state, transaction_id, name, "push", "Refund delayed", text)
        case PaymentActionRequired(transaction_id=transaction_id):
            with_customer = replace(state, customer_id=received.customer_id)
            title, text = "Please confirm your payment", confirm_text(received)
            return _send(with_customer, transaction_id, "confirm payment", "push", title, text)
        case PaymentRefundHeld() | RefundCoveredByDispute():
            name, title, text = disputed_refund_texts(received)
            return _send(state, received.transaction_id, name, "push", title, text)
        case NotifyCustomer():
            return _instructed(state, received)
        case _:
            return None


def _is_news(state: SentMessages, refunded: PaymentRefunded) -> bool:
    """Return whether nothing else says it: that an order is cancelled says that all is refunded.

    Unless that refund has failed since, or came short.
    """
    is_special = key_of(refunded) in state.failed_returns or refunded.left_minor > 0
    return is_special or refunded.kind != "compensation"


def _instructed(state: SentMessages, command: NotifyCustomer) -> RequestMessage:
    request = _send(
        state, command.transaction_id, command.name, command.channel, command.title, command.text
    )
    return replace(request, is_answer=command.is_answer)


def _send(  # noqa: PLR0913  who, which and what
    state: SentMessages, transaction_id: str, name: str, channel: Channel, title: str, text: str
) -> RequestMessage:
    return RequestMessage(
        transaction_id=transaction_id,
        notification_id=joined(transaction_id, name),
        recipient=recipient_of(state.customer_id, transaction_id),
        customer_id=state.customer_id,
        channel=channel,
        title=title,
        text=text[:TEXT_CHARS_MAX],
    )


# --- evolve --------------------------------------------------------------------


def evolve(state: SentMessages, message: Message, _at_ms: int) -> SentMessages:
    """Return `state` after `message`, received or emitted."""
    match message:
        case PaymentCompleted(customer_id=customer_id) | PaymentAuthorized(customer_id=customer_id):
            return replace(state, customer_id=customer_id)
        case PaymentRefundFailed(was_refunded=True):
            if key_of(message) in state.failed_returns:
                return state
            return replace(state, failed_returns=(*state.failed_returns, key_of(message)))
        case RequestMessage(notification_id=notification_id) if (
            notification_id not in state.notification_ids
        ):
            ids = (*state.notification_ids, notification_id)
            return replace(state, notification_ids=ids, answers=state.answers + message.is_answer)
        case NotificationWithheld():
            return replace(state, withheld=state.withheld + 1)
        case _:
            return state
