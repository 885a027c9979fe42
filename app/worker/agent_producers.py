"""Faust's producer as agents use it: idempotent, one an agent, replaced when a batch is void.

Like `app.worker.transport`, it knows the insides of Faust and of aiokafka 0.14.
"""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed
from faust.transport.drivers import aiokafka as driver
from faust.types import AppT

from app.kafka.admin import start_client
from app.kafka.errors import BROKER_AWAY
from app.worker import lease

START_AGAIN_SECONDS = 0.5

log = structlog.get_logger(__name__)


class ProducingApp(AppT):
    """The app as its producers see it."""

    lease: lease.Lease
    agent_names: list[str]
    owned_topics: set[str]


class SafeProducer(driver.Producer):
    """Idempotent, acknowledged by all replicas; one producer an agent, and one beside them."""

    app: ProducingApp

    def __init__(self, *args: Any, **options: Any) -> None:
        self.of_agents: dict[str, AIOKafkaProducer] = {}
        super().__init__(*args, **options)

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def on_start(self) -> None:
        """Start, and ask the lease before anything of an agent is written to the broker."""
        await super().on_start()
        assert self._producer is not None, "it has started"
        self._under_lease(self._producer)
        await self.renew()

    async def on_stop(self) -> None:
        """Stop, with what is under way."""
        await asyncio.gather(*(producer.stop() for producer in self.of_agents.values()))
        await super().on_stop()

    async def renew(self) -> None:
        """Replace the producers of agents: nothing that the old ones hold is written any more.

        A producer tries again for ever, and would write it as soon as the lease holds again.
        """
        await asyncio.gather(*(_abort(producer) for producer in self.of_agents.values()))
        # aiokafka has one request under way a producer: agents that shared one would wait for each
        # other twice a batch.
        fresh = {name: self._new_producer() for name in self.app.agent_names}
        for producer in fresh.values():
            self._under_lease(producer)
        await asyncio.gather(*(_start(producer) for producer in fresh.values()))
        self.of_agents = fresh

    def _under_lease(self, producer: AIOKafkaProducer) -> None:
        lease.write_under(producer.client, self.app.lease, self.app.owned_topics)


async def _start(producer: AIOKafkaProducer) -> None:
    """Start `producer`, also when the broker is away once more in that moment."""
    while True:
        try:
            return await start_client(producer)
        except BROKER_AWAY as error:
            log.warning("no producer yet", error=repr(error))
            await asyncio.sleep(START_AGAIN_SECONDS)


async def _abort(producer: AIOKafkaProducer) -> None:
    """End `producer` with what it holds; raises ProducerClosed where that is waited for."""
    producer._closed = True
    # Closed connections end the requests under way, which the sender waits for when it ends. It
    # may open others meanwhile.
    await producer.client.close()
    if producer._sender is not None:
        await producer._sender.close()
    await producer.client.close()
    held = producer._message_accumulator
    batches = [*itertools.chain(*held._batches.values()), *held._pending_batches]
    held.fail_all(ProducerClosed())
    for batch in batches:
        # Who waited for it may be cancelled: asyncio logs errors that nobody has asked for.
        for waiter in (batch.future, batch._drain_waiter):
            waiter.exception()


def producer_of(app: Any, agent: str = "") -> Any:
    """Return the aiokafka producer of `agent` in a running app; without one, the app's own."""
    return app.producer.of_agents[agent] if agent else app.producer._producer
