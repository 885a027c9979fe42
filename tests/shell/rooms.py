"""Rooms for testing the shell: as small as a room can be."""

from typing import Any

import msgspec

from app.delivery.agent import Room, Transient
from app.wire import envelope, topics
from app.wire.envelope import Envelope
from app.wire.records import Record
from tables import Table
from workflows.analytics.messages import FiguresUpdated
from workflows.notification.messages import NotificationFailed, NotificationSent, SendMessage
from workflows.order.messages import OrderCancelRequested
from workflows.payment.messages import PaymentFailed
from workflows.shared.message import Message, type_name


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many cancellations an order has heard."""

    heard: int = 0


TALLY = Table(name="tally", service="test", shape=Tally, initial=Tally(), help="For tests.")


def decide(memory: Tally, heard: Message, _at_ms: int) -> tuple[Message, ...]:
    assert isinstance(heard, OrderCancelRequested)
    if heard.reason == "explode":
        raise ZeroDivisionError("a bug")
    return (PaymentFailed(order_id=heard.order_id, reason=f"number {memory.heard + 1}"),)


def evolve(memory: Tally, word: Message, _at_ms: int) -> Tally:
    if isinstance(word, OrderCancelRequested):
        return Tally(heard=memory.heard + 1)
    return memory


ANSWERS = Room(
    name="tally",
    service="test",
    hears=(topics.orders,),
    tells=(topics.payments,),
    keeps=TALLY,
    decide=decide,
    evolve=evolve,
)

COUNTS = Room(
    name="counts",
    service="test",
    hears=(topics.orders,),
    tells=(topics.figures,),
    keeps=TALLY,
    rows=lambda _heard, head: (head.baggage.get("country", "unknown"),),
    fold=lambda memory, _heard, _head: Tally(heard=memory.heard + 1),
    rollup=lambda key, memory, partition: FiguresUpdated(
        minute_ms=0, country=key, partition=partition, counts={"heard": memory.heard}, sums={}
    ),
)


class Outside:
    """Someone to call, who can be out of reach."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.out_of_reach = False

    async def call(self, asked: SendMessage) -> tuple[Message, ...]:
        self.asked.append(asked.notification_id)
        if self.out_of_reach:
            raise Transient("nobody answers")
        sent = NotificationSent(
            order_id=asked.order_id, notification_id=asked.notification_id, channel=asked.channel
        )
        return (sent,)


def calls(outside: Outside) -> Room:
    """Return a room that calls `outside`."""
    return Room(
        name="calls",
        service="test",
        hears=(topics.notification_commands,),
        tells=(topics.notifications,),
        keeps=TALLY,
        call=outside.call,
        retries=True,
        give_up=lambda asked, reason: (
            NotificationFailed(
                order_id=asked.order_id,
                notification_id=asked.notification_id,
                channel=asked.channel,
                reason=reason,
            ),
        ),
    )


def said(
    word: Message, offset: int, *, event_id: str = "", time_ms: int = 1_000_000, **changed: Any
) -> Record:
    """Return `word` as it is read from its topic; `changed` replaces fields of the record."""
    topic = topics.topic_of(word)
    head = Envelope(
        id=event_id or f"event-{offset}",
        type=type_name(type(word)),
        source="/test",
        time_ms=time_ms,
        subject=topic.key(word),
        correlation_id=topic.key(word),
        baggage={"country": "France"},
    )
    fields: dict[str, Any] = {
        "topic": topic.name,
        "partition": 0,
        "offset": offset,
        "key": topic.key(word).encode(),
        "value": msgspec.json.encode(word),
        "headers": tuple(envelope.to_headers(head)),
    }
    return Record(**(fields | changed))


def cancel(offset: int, reason: str = "", **changed: Any) -> Record:
    """Return a cancellation of order o1 as it is read."""
    return said(OrderCancelRequested(order_id="o1", reason=reason), offset, **changed)


def message(offset: int, notification_id: str, **changed: Any) -> Record:
    """Return a message to be sent for order o1 as it is read."""
    asked = SendMessage(
        order_id="o1", notification_id=notification_id, channel="sms", title="", text=""
    )
    return said(asked, offset, **changed)
