"""Takes what was fetched in steps, and lets others have their turn between them.

aiokafka 0.14 opens whatever the broker has answered in one go: of each partition as many batches as
have the records asked for, of one after the other partition. While a few kilobytes unfold to
hundreds of megabytes, the loop of the consumer answers no heartbeat, and the console no request.

Here a step ends behind the batch with which STEP_BYTES_MAX were opened, in all partitions together,
or with STEP_RECORDS_MAX records. What is left waits in the client for the next step.
"""

import asyncio
from collections.abc import Collection, Iterator
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.consumer import consumer, fetcher
from aiokafka.structs import ConsumerRecord

from app.wire.byte_limits import STEP_BYTES_MAX, STEP_RECORDS_MAX

Records = list[ConsumerRecord[bytes, bytes]]


def read_in_steps() -> None:
    """Let every consumer of this process read this way. Called again, it changes nothing."""
    # aiokafka asks whether a result is of just the type that has this name.
    fetcher.FetchResult = Fetched
    consumer.Fetcher = SteppingFetcher


class Opening(Protocol):
    """Records that are opened a batch at a time: `app.kafka.record_batches.EveryRecord`."""

    next_fetch_offset: int
    opened_bytes: int

    def __iter__(self) -> Iterator[ConsumerRecord[bytes, bytes]]:
        """Return the records that are left."""
        ...


class Fetched(fetcher.FetchResult):
    """The records of one partition in one answer of the broker, as they wait in the client."""

    _partition_records: Opening | None

    def take(self, records_max: int, bytes_max: int) -> tuple[Records, int]:
        """Return the next records, and how many bytes were opened for them.

        The last batch opened may pass `bytes_max`.
        """
        source = self._partition_records
        if source is None or not self.check_assignment(self._topic_partition):
            return [], 0
        records: Records = []
        source.opened_bytes = 0
        for record in source:
            records.append(record)
            if len(records) >= records_max or source.opened_bytes >= bytes_max:
                break
        else:
            self._partition_records = None
        self._assignment.state_value(self._topic_partition).consumed_to(source.next_fetch_offset)
        return records, source.opened_bytes


class SteppingFetcher(fetcher.Fetcher):
    """aiokafka's fetcher, but for how much of what was fetched is taken at once."""

    async def fetched_records(
        self,
        partitions: Collection[TopicPartition],
        timeout: float | None = 0,  # noqa: ASYNC109  aiokafka's signature
        max_records: int | None = None,
    ) -> dict[TopicPartition, Records]:
        """Return the records of one step, of `partitions` or of all, waiting for the first."""
        # A caller that always finds records would otherwise never yield to the loop.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        until = loop.time() + (timeout or 0)
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            drained = self._step(partitions, max_records or STEP_RECORDS_MAX)
            if drained or not timeout:
                return drained
            waiter = self._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=max(until - loop.time(), 0))
            if self._closed or not waiter.done():
                waiter.cancel()
                return {}
            waiter.result()  # Raises what the fetching has met.

    def _step(
        self, partitions: Collection[TopicPartition], records_max: int
    ) -> dict[TopicPartition, Records]:
        """Return the records of one step; raises the error of a partition that comes first."""
        drained: dict[TopicPartition, Records] = {}
        bytes_left = STEP_BYTES_MAX
        for place, result in list(self._records.items()):
            if records_max <= 0 or bytes_left <= 0:
                break
            if partitions and place not in partitions:
                if not self._subscriptions.is_assigned(place):
                    del self._records[place]
            elif isinstance(result, Fetched):
                records, opened_bytes = result.take(records_max, bytes_left)
                records_max, bytes_left = records_max - len(records), bytes_left - opened_bytes
                if records:
                    drained[place] = records
                if not result.has_more():
                    self._fetch_again(place)
            elif drained:
                break  # The error is raised by the next step.
            else:
                self._fetch_again(place)
                result.check_raise()
        return drained

    def _fetch_again(self, place: TopicPartition) -> None:
        del self._records[place]
        self._notify(self._wait_consume_future)
