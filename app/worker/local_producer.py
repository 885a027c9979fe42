"""What a worker produces beside its agents: requests of the console, its own announcements."""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.config import Config
from app.kafka.producer import place_of
from app.wire import codecs
from app.wire.envelope import Envelope, to_headers
from app.wire.records import Outgoing
from app.wire.signing import signed
from app.worker.agent_producers import producer_of
from app.worker.faust_app import PayflowApp
from workflows.shared.message import Message
from workflows.shared.topic import topic_of


class LocalProducer:
    """Produces through the worker's own connection, signed."""

    def __init__(self, app: PayflowApp, config: Config) -> None:
        self._app = app
        self._config = config

    async def publish(self, message: Message, envelope: Envelope) -> None:
        """Produce `message` on its topic; return when the broker has acknowledged it."""
        topic = topic_of(message)
        outgoing = Outgoing(
            topic=topic.name,
            key=topic.key(message).encode(),
            value=codecs.encode(message),
            headers=to_headers(envelope),
        )
        await self.send([outgoing])

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Produce `records` as they are; return when the broker has acknowledged them.

        Many requests are under way at once and share batches. With a batch for each, one would wait
        for another, and aiokafka 0.14 counts such a wait again at each turn.
        """
        producer = producer_of(self._app)
        acknowledged = [await producer.send(**self._fields_of(each)) for each in records]
        await asyncio.gather(*acknowledged)

    def _fields_of(self, record: Outgoing) -> dict[str, Any]:
        outgoing, at = signed(record, self._config.signing_key), record.partition
        return {
            "topic": outgoing.topic,
            "value": outgoing.value,
            "key": outgoing.key,
            "partition": place_of(outgoing.topic, outgoing.key, self._config) if at is None else at,
            "headers": outgoing.headers,
        }
