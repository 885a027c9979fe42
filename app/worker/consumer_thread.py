"""The thread in which Faust's consumer fetches: how it reads, and how far it has read.

Like `app.worker.transport`, it knows Faust's insides.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT

from app.kafka.logs import Mark, marked
from app.kafka.positions import Answer, Reach
from app.kafka.reader import ISOLATION_LEVEL, high_watermarks
from app.worker import lease

FETCH_WAIT_MS = 100


class LeasedApp(AppT):
    """The app as its consumer's thread sees it."""

    lease: lease.Lease
    discard_batches: Callable[[], None]
    mark: Mark


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Fetches what is committed, and notes with each fetch how far it has come."""

    app: LeasedApp

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self.reached: dict[TP, int] = {}
        """How far each partition is read, as of the latest fetch."""
        self.fetched: dict[TP, int] = {}
        """The offset behind the last record fetched of each partition. It is noted here, in the
        step that takes the record: what gets lost on the way to an agent is never passed over."""
        self._reach: Reach[TP] = Reach()
        super().__post_init__()

    async def on_start(self) -> None:
        """Start, and let every answered heartbeat renew the lease."""
        await super().on_start()
        assert self._consumer is not None, "it has started"
        lease.follow(self._consumer._coordinator, self.app.lease, self._lost)

    def _lost(self) -> None:
        # Called on the loop of this thread; batches run on the worker's.
        self.parent_loop.call_soon_threadsafe(self.app.discard_batches)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Say nothing: Faust sees no batch, and calls each quiet partition stuck after 5 minutes.

        `app.worker.watchdog` judges by the position.
        """

    def forget(self, places: Iterable[TP]) -> None:
        """Drop what was fetched of `places`: they are read again from where they are sought."""
        for tp in list(places):
            self.fetched.pop(tp, None)

    def highwater(self, tp: TP) -> int:
        """Return the last stable offset of `tp`: what lies behind it cannot be read yet."""
        # None before the first answer, which Faust's signature does not say.
        return cast("int", self._ensure_consumer().last_stable_offset(tp))

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = ISOLATION_LEVEL
        vars(consumer)["commit"] = marked(consumer.commit, self.app.mark)
        return consumer

    async def _highwaters(self, partitions: list[TP]) -> Mapping[TP, int]:
        # Faust asks for recoveries alone: rows acknowledged behind an open transaction count.
        places = [TopicPartition(*each) for each in partitions]
        ends = await high_watermarks(self._ensure_consumer(), places, None)
        return {TP(*place): end for place, end in ends.items()}

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  Faust's signature
        max_records: int | None = None,
    ) -> RecordMap:
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        for place, some in records.items():
            self.fetched[TP(*place)] = some[-1].offset + 1
        self.reached = self._reach.observe(_answers(consumer), bool(records))
        return records


def _answers(consumer: AIOKafkaConsumer) -> dict[TP, Answer]:
    """Return what is known of each partition that has no records waiting in the client."""
    subscription = consumer._subscription.subscription
    assignment = subscription and subscription.assignment
    fetcher = consumer._fetcher
    if not assignment or fetcher is None:
        return {}
    states = {TP(*place): assignment.state_value(place) for place in assignment.tps}
    return {
        tp: Answer(
            position=state.position,
            answered_ms=state.timestamp or 0,
            end=state.lso or 0,
            is_paused=state.paused,
        )
        for tp, state in states.items()
        if state.has_valid_position and tp not in fetcher._records
    }


def pass_recovered(app: Any, tp: TP, fetched: int, position: int) -> None:
    """Note for a recovery under way that the changelog `tp` is read to `position`.

    Faust waits for a record at the last offset, where there may be none. It counts by the last
    record applied, and drops what comes up to there: so all that was `fetched` must be applied.
    """
    recovery = app.tables.recovery
    applied, due = recovery.active_offsets.get(tp), recovery.active_highwaters.get(tp)
    if applied is None or due is None or not recovery.in_recovery:
        return
    if fetched - 1 <= applied < due < position:
        recovery.active_offsets[tp] = due
