"""Payments produced for the fraud service on a real broker, and its verdicts.

Payments are produced in the order of each entity, as many at once as the service can handle. A
fraud is labelled as a chargeback a week later; every few days the evaluation waits for all labels,
so that none comes after a payment that should know of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from app.config import Config
from app.fraud.training.entity_queues import EntityQueues
from app.kafka.admin import admin_client, delete_before
from app.kafka.groups import committed_offsets
from app.kafka.messages import console_record
from app.kafka.producer import open_producer, produce_signed
from app.kafka.reader import TopicPartition, declared_places, reader
from workflows.fraud import topics as fraud_topics
from workflows.fraud.messages import PaymentLabelled
from workflows.payment import topics as payment_topics
from workflows.payment.messages import PaymentCompleted
from workflows.shared.errors import PayflowError
from workflows.shared.topic import Topic

GROUP = "payflow-fraud"
UNDER_WAY_MAX = 600
"""Payments produced and not judged yet: enough for full batches."""
WAITING_MAX = 6_000
"""Payments queued, so that a busy entity does not delay the others."""
POLL_MS = 20
SILENCE_SECONDS_MAX = 120.0
"""The longest time without a verdict, or without progress of the labels."""


class BrokerEvaluationError(PayflowError):
    """The service does not answer; the message says what was waited for."""


class LabelledPayment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment, whether it was fraud, and when that becomes known."""

    paid: PaymentCompleted
    fraud: bool = False
    known_at_ms: int = 0


class ReadBasis(msgspec.Struct, frozen=True, kw_only=True):
    """The fields read of a verdict."""

    model_score: float | None = None
    model_version: str = ""
    snapshot: dict[str, float]


class Verdict(msgspec.Struct, frozen=True):
    """The part of `FraudDetected` and `FraudCleared` that is needed here."""

    order_id: str
    type: str
    basis: ReadBasis | None = msgspec.field(name="judgment", default=None)


_read = msgspec.json.Decoder(Verdict).decode


class BrokerEvaluation:
    """Produces payments and consumes verdicts."""

    def __init__(self, config: Config, producer: Any, consumer: Any, admin: Any) -> None:
        self._config = config
        self._producer = producer
        self._consumer = consumer
        self._admin = admin
        self._queues = EntityQueues()

    async def judge(
        self, emitted: Sequence[LabelledPayment]
    ) -> AsyncIterator[tuple[int, ReadBasis]]:
        """Yield (place in `emitted`, what was judged) once each, in the order the verdicts come.

        Raises BrokerEvaluationError when none comes any more.
        """
        places = {each.paid.transaction_id: at for at, each in enumerate(emitted)}
        coming = iter(enumerate(emitted))
        received_at = time.monotonic()
        self._fill(coming)
        while len(self._queues):
            due = [emitted[at] for at in self._queues.take(UNDER_WAY_MAX)]
            await self.publish([each.paid for each in due])
            verdicts = await self.verdicts()
            if verdicts:
                received_at = time.monotonic()
            elif time.monotonic() > received_at + SILENCE_SECONDS_MAX:
                raise BrokerEvaluationError(
                    f"{self._queues.under_way} payments are produced and not judged"
                )
            for verdict in verdicts:
                at = places.get(verdict.order_id)
                if at is not None and verdict.basis and self._queues.judged(at):
                    yield at, verdict.basis
            self._fill(coming)
        await self._label([each for each in emitted if each.fraud])

    def _fill(self, coming: Iterator[tuple[int, LabelledPayment]]) -> None:
        while len(self._queues) < WAITING_MAX and (following := next(coming, None)) is not None:
            at, each = following
            paid = each.paid
            self._queues.add(at, (f"c{paid.customer_id}", f"t{paid.origin.terminal_id}"))

    async def verdicts(self) -> list[Verdict]:
        """Return new verdicts, after POLL_MS at the latest."""
        polled = await self._consumer.getmany(timeout_ms=POLL_MS)
        emitted = [_read(record.value) for records in polled.values() for record in records]
        return [each for each in emitted if each.basis is not None]

    async def _label(self, frauds: Sequence[LabelledPayment]) -> None:
        """Label `frauds` as fraud, and return when the entities have applied it.

        Frees disk space.
        """
        await self.publish(
            [
                PaymentLabelled(
                    transaction_id=each.paid.transaction_id,
                    fraud=True,
                    source="chargeback",
                    known_at_ms=each.known_at_ms,
                )
                for each in frauds
            ]
        )
        # The fraud agent consumes labels and asks the entities: its own topic first, then theirs.
        for topic in (fraud_topics.fraud_labels, fraud_topics.fraud_checks):
            await self._read_through(topic)
        await self._forget()

    async def _read_through(self, topic: Topic) -> None:
        places = self.places(topic)
        ends = await self._consumer.end_offsets(places)
        limit = time.monotonic() + SILENCE_SECONDS_MAX
        while True:
            offsets = await committed_offsets(self._admin, GROUP)
            # A partition without a committed offset is at -1.
            through = {at: max(offsets.get(at, 0), 0) for at in places}
            if all(through[at] >= ends[at] for at in places):
                return
            if time.monotonic() > limit:
                raise BrokerEvaluationError(
                    f"{topic.name} is not read through: {through} of {ends}"
                )
            await asyncio.sleep(0.1)

    async def _forget(self) -> None:
        """Delete the questions and answers read: they are large, and not read again."""
        read = (
            fraud_topics.fraud_checks,
            fraud_topics.fraud_answers,
            payment_topics.payments,
            fraud_topics.fraud,
        )
        places = [place for topic in read for place in self.places(topic)]
        ends = await self._consumer.end_offsets(places)
        # Deleting under a consumer triggers `auto.offset.reset`, so it seeks itself.
        for place in self.places(fraud_topics.fraud):
            self._consumer.seek(place, ends[place])
        await delete_before(self._admin, ends)

    def places(self, topic: Topic) -> list[TopicPartition]:
        """Return the partitions of `topic`."""
        return declared_places(topic.name, self._config)

    async def publish(self, messages: Sequence[PaymentCompleted | PaymentLabelled]) -> None:
        """Produce `messages`, each at its own time; return when the broker has them."""
        if not messages:
            return
        records = [console_record(message, _time_of(message)) for message in messages]
        await produce_signed(self._producer, records, self._config)


def _time_of(message: PaymentCompleted | PaymentLabelled) -> int:
    return int(
        message.known_at_ms if isinstance(message, PaymentLabelled) else message.ordered_at_ms
    )


@asynccontextmanager
async def broker_evaluation(config: Config) -> AsyncIterator[BrokerEvaluation]:
    """Open an evaluation through the fraud service of the instance of `config`."""
    async with (
        open_producer(config) as producer,
        reader(config, max_poll_records=2_000) as consumer,
        admin_client(config) as admin,
    ):
        way = BrokerEvaluation(config, producer, consumer, admin)
        places = way.places(fraud_topics.fraud)
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        yield way
