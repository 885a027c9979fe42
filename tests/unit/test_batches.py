"""A batch is waited for, or discarded when its session is over; its agent goes on."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, ProducerClosed

from app.worker import agent_producers
from app.worker.agent_producers import SafeProducer
from app.worker.batches import Batches
from app.worker.lease import Lease


class Work:
    """A batch that lasts until it is asked to end."""

    def __init__(self) -> None:
        self.ending = asyncio.Event()
        self.stored: list[str] = []

    async def batch(self) -> None:
        """Store something once it may."""
        await self.ending.wait()
        self.stored.append("a row")


async def started(batches: Batches, work: Work) -> asyncio.Task[bool]:
    """Return the agent that waits for a batch of `work`, which is under way."""
    agent = asyncio.ensure_future(batches.run(work.batch()))
    await asyncio.sleep(0.01)
    return agent


async def test_a_batch_that_ends_is_through_and_may_be_waited_for() -> None:
    """Nobody is idle before."""
    batches, work = Batches(), Work()

    agent = await started(batches, work)
    busy = not batches.idle.is_set()
    work.ending.set()
    await batches.idle.wait()

    assert (True, True, ["a row"]) == (busy, await agent, work.stored)


async def test_a_batch_of_a_session_that_is_over_stores_nothing() -> None:
    """It is discarded where it waits, and no other begins before the records are read again."""
    batches, discarded, later = Batches(), Work(), Work()
    later.ending.set()
    agent = await started(batches, discarded)

    count = batches.discard()
    await batches.idle.wait()
    through = [await agent, await batches.run(later.batch())]
    batches.resume()
    through.append(await batches.run(later.batch()))

    assert (1, [False, False, True]) == (count, through)
    assert ([], ["a row"]) == (discarded.stored, later.stored)


async def test_an_agent_that_is_ended_ends_its_batch() -> None:
    """A stop cancels the agent, which must not take that for a batch that was discarded."""
    batches, work = Batches(), Work()
    agent = await started(batches, work)

    agent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await agent

    assert (True, []) == (batches.idle.is_set(), work.stored)


async def test_a_batch_that_fails_says_so() -> None:
    """The process has to end then: broker or disk failed."""

    async def fails() -> None:
        raise OSError("the disk is full")

    batches = Batches()

    with pytest.raises(OSError, match="the disk is full"):
        await batches.run(fails())
    assert batches.idle.is_set()


STARTS = 2
"""The broker is away at the first."""


class Producer:
    """What of an aiokafka producer is replaced; `calls` notes what is done to it."""

    def __init__(self, calls: list[str], number: int) -> None:
        self._said, self._number = calls, number
        self._closed = False
        self._message_accumulator = SimpleNamespace(
            fail_all=self._fail, _batches={}, _pending_batches=set()
        )
        self._sender = SimpleNamespace(close=lambda: self._say("sender"))
        self.client = SimpleNamespace(close=lambda: self._say("client"), send=None, ready=None)

    async def start(self) -> None:
        await self._say("start")
        if self._said.count(f"{self._number} start") < STARTS:
            raise KafkaConnectionError("nobody listens")

    def _fail(self, error: Exception) -> None:
        self._said.append(f"{self._number} {type(error).__name__}")

    async def _say(self, text: str) -> None:
        await asyncio.sleep(0)
        self._said.append(f"{self._number} {text}")


async def test_what_a_producer_holds_is_not_written_in_the_next_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever waits for it gets an error; the next producer is under the lease, and started."""
    calls: list[str] = []
    producers: list[Producer] = []
    led: list[Any] = []

    def new(_self: Any) -> Producer:
        producers.append(Producer(calls, len(producers)))
        return producers[-1]

    def write_under(client: Any, _lease: Lease, owned: Sequence[str]) -> None:
        led.append((client, owned))

    monkeypatch.setattr(agent_producers, "START_AGAIN_SECONDS", 0)
    monkeypatch.setattr(SafeProducer, "_new_producer", new)
    monkeypatch.setattr(agent_producers.lease, "write_under", write_under)
    producer = SafeProducer.__new__(SafeProducer)
    owned = {"payments"}
    producer.app = SimpleNamespace(lease=Lease(8.0), agent_names=["payment"], owned_topics=owned)
    producer.of_agents = {}
    await producer.renew()
    await producer.renew()

    error = ProducerClosed.__name__
    ended = ["0 client", "0 sender", "0 client", f"0 {error}"]
    assert [*["0 start"] * STARTS, *ended, *["1 start"] * STARTS] == calls
    assert (producers[1], True) == (producer.of_agents["payment"], producers[0]._closed)
    assert [(each.client, owned) for each in producers] == led
