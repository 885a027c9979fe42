"""The module that knows Faust's insides. The version is pinned, and a test says so.

What it changes, and why (Faust 0.15.3, aiokafka driver):

* Offsets are committed from a low watermark that the engine moves when a batch is through. Faust's
  own bookkeeping commits past what is in flight, drops acknowledgements at a rebalance and notes
  failed commits as done.
* Whole chunks are delivered in one wait, where Faust makes four tasks a message.
* A seek drops all that was read before it, and goes to the beginning where nothing has been
  committed yet; otherwise events are skipped at the first start of a group.
* A revocation waits for the batch in flight and commits it, so that nobody else can own its
  partitions while it is still writing.
* The producers are idempotent, one an agent; batches go out through aiokafka's batch API,
  acknowledged together.
* A worker whose session may have run out writes nothing until the group knows it again
  (`app.worker.lease`). When the group has gone on without it, its batch is discarded
  (`app.worker.batches`), its producers are replaced (`app.worker.agent_producers`), and it joins.
* Progress is the position of the reading, which passes offsets without a record, also at the end of
  a partition and in a recovery (`app.worker.consumer_thread`).
* A commit names the log that it was made in (`app.worker.log_identity`).
* The long poll is 100 ms, where Faust has 1.5 s; its second of sleep at the end is left out.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import mode
import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from app.host.exit import hard_stop
from app.kafka.positions import lag
from app.kafka.record_batches import read_any_batch
from app.wire.records import Record
from app.worker.agent_producers import SafeProducer
from app.worker.batches import Batches
from app.worker.consumer_thread import ConsumerThread, LeasedApp, pass_recovered
from app.worker.watermarks import Watermarks

FAUST_VERSION = "0.15.3"
CHUNK_MAX = 1_000
"""Messages delivered to the agents in one wait."""

log = structlog.get_logger(__name__)


class HostApp(LeasedApp):
    """The app that the transport needs: Faust's, with the additions of `app.worker.faust_app`."""

    watermarks: Watermarks
    batches: Batches
    on_revoked: Callable[[set[TP]], None]


class SafeConsumer(driver.Consumer):
    """Commits only what the engine has taken through all its checkpoints."""

    app: HostApp
    _thread: ConsumerThread
    REVOKE_WAIT_SECONDS = 25.0

    def __init__(self, *args: Any, **options: Any) -> None:
        self._fetching = asyncio.Lock()
        self._seeks = 0
        self._fetched_after = 0
        super().__init__(*args, **options)

    @property
    def watermarks(self) -> Watermarks:
        """Return the app's watermarks."""
        return self.app.watermarks

    def _new_consumer_thread(self) -> Any:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        for tp in [TP(*place) for place in self.watermarks.next_offset]:
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        return self.watermarks.next_offset.get(tp)

    async def _commit_offsets(
        self,
        offsets: Mapping[TP, int],
        start_new_transaction: bool = True,  # noqa: ARG002, FBT001, FBT002  Faust's signature
    ) -> bool:
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not ours or not await self._commit(ours):
            return False
        self._committed_offset.update(ours)
        self.app.monitor.on_tp_commit(ours)
        return True

    async def commit_at(self, offsets: Mapping[tuple[str, int], int]) -> bool:
        """Commit `offsets`, whatever the watermarks say; return whether the group took them."""
        ours = {TP(*place): offset for place, offset in offsets.items()}
        return not ours or await self._commit_offsets(ours)

    def lags(self) -> dict[TP, int]:
        """Return how many events each partition that we read is behind, where that is known."""
        behind: dict[TP, int] = {}
        for tp in self.assignment():
            end = None if self._is_changelog_tp(tp) else self.highwater(tp)
            if end is not None:
                behind[tp] = lag(self.through(tp), end)
        return behind

    def through(self, tp: TP) -> int:
        """Return the offset before which everything of `tp` is stored and produced."""
        return self.watermarks.next_offset.get(tp) or self._committed_offset[tp] or 0

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the batch in flight end and commit it before anyone else may own its partitions.

        A batch of a session that is over is discarded instead.
        """
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        self.app.batches.suspend()
        try:
            async with asyncio.timeout(self.REVOKE_WAIT_SECONDS):
                if self.app.lease.lost:
                    self.app.discard_batches()
                await self.app.batches.idle.wait()
                # The session may have ended while that batch was waited for.
                if self.app.lease.lost:
                    await cast("SafeProducer", self.app.producer).renew()
        except TimeoutError:
            hard_stop("a batch did not end before its partitions were revoked")
        except Exception as error:  # noqa: BLE001  whatever it is: the process ends
            # aiokafka logs it and joins, with producers that still hold what is void.
            hard_stop(f"a batch was not discarded: {error!r}")
        await self._commit_all()
        self.watermarks.forget(revoked)
        self._thread.forget({tp for tp in revoked if self._is_changelog_tp(tp)})
        self.app.on_revoked(revoked)
        await super().on_partitions_revoked(revoked)

    async def drain(self, seconds: float) -> None:
        """Read no more, let the batch in flight end within `seconds`, and commit it."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.app.batches.idle.wait()
                await self._commit_all()
        except TimeoutError:
            log.warning("stopped before a batch was committed: it comes again")

    async def _commit_all(self) -> None:
        # A commit under way has taken its offsets already, and Faust would not commit again.
        await self.maybe_wait_for_commit_to_finish()
        await self.commit()

    async def perform_seek(self) -> None:
        """Go to the committed offsets, and drop everything read before that.

        A group that has not committed yet has none: aiokafka then keeps its position, and the
        records read so far, which Faust drops, would never be read again.
        """
        self._seeks += 1
        async with self._fetching:
            before = dict(self._thread.fetched)
            await super().perform_seek()
            fresh = [
                tp
                for tp in self.assignment()
                if not self._is_changelog_tp(tp) and not self._committed_offset.get(tp)
            ]
            if fresh:
                for tp, offset in (await self.earliest_offsets(*fresh)).items():
                    await self.seek(tp, offset or 0)
            self.app.flow_control.clear()
            # What was fetched before comes again.
            self._thread.forget(
                tp
                for tp, offset in before.items()
                if self._thread.fetched.get(tp) == offset and not self._is_changelog_tp(tp)
            )
        self.app.batches.resume()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        # A fetch and a seek never overlap: fetched records come either all before the seek, and are
        # dropped, or all after it.
        async with self._fetching:
            self._fetched_after = self._seeks
            records = await super()._getmany(active_partitions, timeout)
            if self.flow_active and self._fetched_after == self._seeks:
                self._pass_gaps()
            return records

    def _pass_gaps(self) -> None:
        """Move on to where the reading has come, where all that was fetched is through.

        What lies between holds no record: markers of transactions, what was aborted, holes.
        """
        assigned = self.assignment()
        for tp, position in self._thread.reached.items():
            through, fetched = self.through(tp), self._thread.fetched.get(tp, 0)
            if self._is_changelog_tp(tp):
                pass_recovered(self.app, tp, fetched, position)
            elif tp in assigned and fetched <= through < position:
                self.watermarks.move(tp, position)

    async def _drain_messages(self, fetcher: Any) -> None:
        stopped = (self._stopped.is_set, fetcher._stopped.is_set)
        try:
            while not any(is_set() for is_set in stopped):
                await asyncio.sleep(0)
                chunk: list[tuple[TP, Any]] = []
                async for tp, message in self.getmany(timeout=1.0):
                    read = self._read_offset[tp]
                    if read is None or message.offset >= read:
                        chunk.append((tp, message))
                    if len(chunk) >= CHUNK_MAX:
                        await self.wait_first(self._deliver(chunk), self.suspend_flow.wait())
                        chunk = []
                if chunk:
                    await self.wait_first(self._deliver(chunk), self.suspend_flow.wait())
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.app.should_stop:
                raise

    async def _deliver(self, chunk: Sequence[tuple[TP, Any]]) -> None:
        for tp, message in chunk:
            if self._fetched_after != self._seeks:
                # Read before a seek: it comes again, and must not overtake earlier records, which
                # the applied offsets would then count as known.
                return
            await self.callback(message)
            self._read_offset[tp] = message.offset


def harden() -> None:
    """Make Faust use the transport above; raises RuntimeError on another Faust."""
    import faust  # noqa: PLC0415  the version is asked for once, where it matters

    if faust.__version__ != FAUST_VERSION:
        raise RuntimeError(
            f"Faust {faust.__version__} is installed, app/worker/transport.py knows "
            f"{FAUST_VERSION}. "
            "Operator: install the locked dependencies with `make setup`."
        )
    read_any_batch()
    driver.Transport.Consumer = SafeConsumer
    driver.Transport.Producer = SafeProducer
    mode.Worker._sentinel_task = _no_sleep


async def _no_sleep(self: mode.Worker) -> None:
    """Do not sleep: the tasks have been gathered."""


def recovered_at(app: Any) -> float | None:
    """Return when `app` recovered its latest changelog record (monotonic seconds), or None."""
    # Faust does not set it before the first recovery.
    return getattr(app.tables.recovery, "_last_active_event_processed_at", None)


def record_of(event: Any) -> Record:
    """Return the Faust event as a plain record."""
    message = event.message
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(pairs),
        at_ms=round(message.timestamp * 1_000),
    )
