"""Reads the provider's balance transactions and payouts, and produces what no event has yet.

What was produced before is read from the topic first. Its events have ids that are derived from the
balance transaction, so whoever reads twice, or beside another, changes nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from app.config import Config
from app.gateways.provider_settlement import ProviderSettlement, new_events
from app.gateways.settlement_position import (
    TOPIC,
    Counts,
    Event,
    SettlementFigures,
    SettlementPosition,
)
from app.kafka.producer import open_producer, produce_signed
from app.kafka.reader import TopicPartition, places_of, read_to_end, reader, span
from app.wire import codecs
from app.wire.clock import now_ms
from app.wire.envelope import Envelope, Undecodable, from_headers, to_headers
from app.wire.records import Consumed, Outgoing, as_read
from app.wire.signing import is_signed
from workflows.shared.message import type_name
from workflows.shared.topic import topic_of

Say = Callable[[str], None]


class Settler:
    """Settles again and again, and reads only what is new on the topic each time."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._position = SettlementPosition()
        self._places: dict[TopicPartition, int] = {}
        """The next offset of each partition."""

    async def settle(self, say: Say | None = None) -> SettlementFigures:
        """Produce what is new. Raises PayflowError and KafkaError: then it may be done again."""
        say = say or (lambda _line: None)
        await self._read_topic()
        say(f"{len(self._position)} events are there already")
        provider, counts = ProviderSettlement(self._config), Counts()
        try:
            async with aclosing(new_events(provider, self._position, counts)) as parts:
                async for part in parts:
                    await self._produce(part)
                    say(f"{len(part)} events are new, until {newest(part)}")
        finally:
            await provider.close()
        return counts.figures()

    async def _read_topic(self) -> None:
        places = await places_of(self._config, TOPIC)
        async with reader(self._config) as consumer:
            begins, ends = await span(consumer, places)
            starts = {place: self._places.get(place, begins[place]) for place in places}
            async for record in read_to_end(consumer, starts, ends):
                self._note(record)
        self._places = ends

    def _note(self, record: Consumed) -> None:
        read = as_read(record)
        if not is_signed(read, self._config):
            return
        try:
            envelope = from_headers(read.headers)
            message = codecs.decode(read.value, envelope, read.key)
        except Undecodable:
            return
        self._position.note(envelope.id, message)

    async def _produce(self, events: Sequence[Event]) -> None:
        at_ms = now_ms()
        records = [_record(each, at_ms) for each in events]
        async with open_producer(self._config) as producer:
            await produce_signed(producer, records, self._config)


def _record(event: Event, at_ms: int) -> Outgoing:
    """Return an unsigned record of the console."""
    topic = topic_of(event.message)
    key = topic.key(event.message)
    envelope = Envelope(
        id=event.event_id,
        type=type_name(type(event.message)),
        source="/payflow/console",
        time_ms=at_ms,
        subject=key,
        correlation_id=key,
    )
    return Outgoing(
        topic=topic.name,
        key=key.encode(),
        value=codecs.encode(event.message),
        headers=to_headers(envelope),
    )


def newest(events: Sequence[Event]) -> str:
    """Return the provider's time of the newest of `events`, for people."""
    at_ms = max(each.message.created_at_ms for each in events)
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
