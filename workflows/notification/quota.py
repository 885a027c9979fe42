"""How many messages one transaction sends, and one recipient gets in a day.

Part of notification. The row of the transaction decides about the first, the row of the recipient
about the second, so neither depends on which console or worker asked. What is over is withheld and
emitted as such: the text stays readable in the transaction.
"""

import hashlib

import msgspec
from msgspec.structs import replace

from workflows.notification.messages import NotificationWithheld, RequestMessage, SendMessage
from workflows.shared.limits import (
    CUSTOMER_ANSWERS_A_DAY_MAX,
    CUSTOMER_MESSAGES_A_DAY_MAX,
    TRANSACTION_ANSWERS_MAX,
    TRANSACTION_MESSAGES_MAX,
)
from workflows.shared.message import Message

MOST = {
    "transaction": (TRANSACTION_ANSWERS_MAX, TRANSACTION_MESSAGES_MAX),
    "customer": (CUSTOMER_ANSWERS_A_DAY_MAX, CUSTOMER_MESSAGES_A_DAY_MAX),
}
"""Of answers, and of all messages."""
DAY_MS = 86_400_000
RECIPIENT_CHARS = 32
"""Hex digits of a digest: enough that no two customers share a quota."""


def recipient_of(customer_id: str, transaction_id: str) -> str:
    """Return whose quota a message uses: the customer's, or the transaction's without one.

    As a customer it is masked where it is shown: whoever guesses an id could check the digest.
    """
    if not customer_id:
        return transaction_id
    digest = hashlib.sha256(f"recipient/{customer_id}".encode()).hexdigest()
    return f"customer:{digest[:RECIPIENT_CHARS]}"


def _over(
    whose: str, request: RequestMessage, messages: int, answers: int
) -> NotificationWithheld | None:
    """Return that a message is not sent, and which quota is used up; None: it is sent."""
    answers_max, messages_max = MOST[whose]
    if request.is_answer and answers >= answers_max:
        quota, most = f"{whose}_answers", answers_max
    elif messages >= messages_max:
        quota, most = f"{whose}_messages", messages_max
    else:
        return None
    return NotificationWithheld(
        transaction_id=request.transaction_id,
        notification_id=request.notification_id,
        channel=request.channel,
        quota=quota,
        most=most,
    )


def of_transaction(request: RequestMessage, messages: int, answers: int) -> Message:
    """Return `request`, or that it is withheld from a transaction that has sent so many."""
    return _over("transaction", request, messages, answers) or request


# --- state ------------------------------------------------------------------


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """What one recipient got on the latest day (UTC) on which there was anything."""

    day: int = 0
    """Days since 1970-01-01."""
    messages: int = 0
    answers: int = 0
    """How many of them answer what somebody asked."""
    withheld: int = 0
    """How many were not sent, in all."""


INITIAL = Recipient()

# --- decide ----------------------------------------------------------------


def decide(state: Recipient, received: Message, at_ms: int) -> tuple[Message, ...]:
    """Return the command to send, or that the quota of the day is used up."""
    if not isinstance(received, RequestMessage):
        return ()
    today = _at(state, at_ms)
    over = _over("customer", received, today.messages, today.answers)
    if over is not None:
        return (over,)
    return (
        SendMessage(
            transaction_id=received.transaction_id,
            notification_id=received.notification_id,
            customer_id=received.customer_id,
            channel=received.channel,
            title=received.title,
            text=received.text,
        ),
    )


def _at(state: Recipient, at_ms: int) -> Recipient:
    """Return `state` on the day of `at_ms`; what comes late counts on the day that has begun."""
    day = at_ms // DAY_MS
    return replace(state, day=day, messages=0, answers=0) if day > state.day else state


# --- evolve --------------------------------------------------------------------


def evolve(state: Recipient, message: Message, at_ms: int) -> Recipient:
    """Return `state` after `message`, received or emitted."""
    match message:
        case RequestMessage(is_answer=is_answer):
            today = _at(state, at_ms)
            is_sent = _over("customer", message, today.messages, today.answers) is None
            return replace(
                today,
                messages=today.messages + is_sent,
                answers=today.answers + (is_sent and is_answer),
            )
        case NotificationWithheld():
            return replace(state, withheld=state.withheld + 1)
        case _:
            return state
