"""Agents for testing the engine: as small as an agent can be."""

from typing import Any

import msgspec

from app.delivery.agent import Agent, Caller, Decider, Projection, Transient
from app.wire.envelope import Envelope, to_headers
from app.wire.records import Record
from tables import Table
from workflows.analytics import topics as analytics_topics
from workflows.analytics.messages import FiguresUpdated
from workflows.notification import topics as notification_topics
from workflows.notification.messages import NotificationFailed, NotificationSent, SendMessage
from workflows.order import topics as order_topics
from workflows.order.messages import OrderCancelRequested
from workflows.payment import topics as payment_topics
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many cancellations an order has received."""

    received: int = 0


TALLY = Table(name="tally", service="test", shape=Tally, initial=Tally(), help="For tests.")


def decide(state: Tally, received: Message, _at_ms: int) -> tuple[Message, ...]:
    assert isinstance(received, OrderCancelRequested)
    if received.reason == "explode":
        raise ZeroDivisionError("a bug")
    return (PaymentFailed(transaction_id=received.order_id, reason=f"number {state.received + 1}"),)


def evolve(state: Tally, received: Message, _at_ms: int) -> Tally:
    if isinstance(received, OrderCancelRequested):
        return Tally(received=state.received + 1)
    return state


ANSWERS = Decider(
    name="tally",
    service="test",
    consumes=(order_topics.orders,),
    produces=(payment_topics.payments,),
    table=TALLY,
    decide=decide,
    evolve=evolve,
)

COUNTS = Projection(
    name="counts",
    service="test",
    consumes=(order_topics.orders,),
    produces=(analytics_topics.figures,),
    table=TALLY,
    rows=lambda _received, envelope: (envelope.baggage.get("country", "unknown"),),
    evolve=lambda state, _received, _envelope: Tally(received=state.received + 1),
    rollup=lambda key, state, partition: FiguresUpdated(
        minute_ms=0, country=key, partition=partition, counts={"received": state.received}, sums={}
    ),
)


class Outside:
    """Someone to call, who can be out of reach."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.out_of_reach = False

    async def call(self, command: SendMessage) -> tuple[Message, ...]:
        self.asked.append(command.notification_id)
        if self.out_of_reach:
            raise Transient("nobody answers")
        sent = NotificationSent(
            transaction_id=command.transaction_id,
            notification_id=command.notification_id,
            channel=command.channel,
        )
        return (sent,)


def calls(outside: Outside) -> Agent:
    """Return an agent that calls `outside`."""
    return Caller(
        name="calls",
        service="test",
        consumes=(notification_topics.notification_commands,),
        produces=(notification_topics.notifications,),
        table=TALLY,
        call=outside.call,
        retries=True,
        give_up=lambda command, reason: (
            NotificationFailed(
                transaction_id=command.transaction_id,
                notification_id=command.notification_id,
                channel=command.channel,
                reason=reason,
            ),
        ),
    )


def as_record(
    received: Message, offset: int, *, event_id: str = "", time_ms: int = 1_000_000, **changed: Any
) -> Record:
    """Return `message` as it is read from its topic; `changed` replaces fields of the record."""
    topic = topic_of(received)
    envelope = Envelope(
        id=event_id or f"event-{offset}",
        type=type_name(type(received)),
        source="/test",
        time_ms=time_ms,
        subject=topic.key(received),
        correlation_id=topic.key(received),
        baggage={"country": "France"},
    )
    fields: dict[str, Any] = {
        "topic": topic.name,
        "partition": 0,
        "offset": offset,
        "key": topic.key(received).encode(),
        "value": msgspec.json.encode(received),
        "headers": tuple(to_headers(envelope)),
    }
    return Record(**(fields | changed))


def cancel(offset: int, reason: str = "", **changed: Any) -> Record:
    """Return a cancellation of order o1 as it is read."""
    return as_record(OrderCancelRequested(order_id="o1", reason=reason), offset, **changed)


def message(offset: int, notification_id: str, **changed: Any) -> Record:
    """Return a message to be sent for order o1 as it is read."""
    command = SendMessage(
        transaction_id="o1", notification_id=notification_id, channel="sms", title="", text=""
    )
    return as_record(command, offset, **changed)
