"""The one Faust application of this process, built from Config. Every option is said here."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, cast

import faust
import structlog
from aiokafka import AIOKafkaProducer
from faust.types import TP

from app.config import Config
from app.delivery.agent import Agent
from app.host.exit import end_within, hard_stop
from app.kafka.admin import wait_for_broker
from app.kafka.durability import check_durable
from app.kafka.errors import TopicError
from app.kafka.groups import REQUEST_SECONDS, SESSION_SECONDS, group_of
from app.wire.byte_limits import FETCH_BYTES_MAX, PRODUCE_BYTES_MAX
from app.wire.records import read_source
from app.worker import transport
from app.worker.agent_producers import producer_of
from app.worker.batches import Batches
from app.worker.crash_points import CrashPoint
from app.worker.lease import Lease
from app.worker.log_check import LogCheck
from app.worker.log_watch import watch
from app.worker.store import Store
from app.worker.store_repair import set_aside_damaged
from app.worker.watermarks import Watermarks

ROCKSDB_OPTIONS = {
    "driver": "rocksdict",
    "block_cache_size": 8 << 20,
    "write_buffer_size": 8 << 20,
    "max_write_buffer_number": 2,
    "max_open_files": 128,
}
"""Faust's defaults are a 2 GiB cache and 192 MiB of buffers for every partition of every table."""
REBALANCE_SECONDS = 30.0
"""The rebalance timeout: how long members may take to give up their partitions."""
STOP_SECONDS_MAX = 20.0
"""How long a stop may take before the process ends without it."""
DRAIN_SECONDS = 3.0
"""How long a stop waits for the batch in flight: a longer one is read again after it."""
BUFFERED_EVENTS_MAX = 8_192
"""Events queued for one agent; with more, their partitions are paused."""

log = structlog.get_logger(__name__)


class PayflowApp(faust.App):
    """A Faust app that knows the watermarks of its agents."""

    def __init__(self, *args: Any, payflow: Config, **options: Any) -> None:
        self.logs = LogCheck(payflow)
        self.watermarks = Watermarks()
        self.batches = Batches()
        self.lease = Lease(SESSION_SECONDS)
        self.crash_point = CrashPoint.of(payflow.crash_at)
        """One for all agents: a process that was frozen, and woke, is not frozen again."""
        self.broker_answered = False
        """Whether a broker has answered since the start."""
        self.agent_names: list[str] = []
        self.rebalances = 0
        """How often partitions were given up."""
        self.owned_topics: set[str] = set()
        """Topics that only the owner of the partitions may write: those of agents, and
        changelogs."""
        self.revocation_listeners: list[Callable[[set[TP]], None]] = []
        self.before_tables: list[Callable[[], Awaitable[object]]] = [self.reach_broker]
        """Async functions to run at the start, before any table recovers."""
        self.at_stop: list[Callable[[], Awaitable[object]]] = []
        super().__init__(*args, **options)

    async def reach_broker(self) -> None:
        """Wait for a broker: Faust would try three times, and end with a page of traceback."""
        await wait_for_broker(self.logs.config, lambda: self.should_stop)
        self.broker_answered = True

    def on_revoked(self, revoked: set[TP]) -> None:
        """Notify every listener that holds something of `revoked`."""
        self.rebalances += 1
        for listener in self.revocation_listeners:
            listener(revoked)

    def discard_batches(self) -> None:
        """Discard every batch under way: the group has gone on without this worker."""
        if batches := self.batches.discard():
            log.warning("batches discarded, since the session is over", batches=batches)

    def flows(self) -> bool:
        """Return whether events flow: no stop, no rebalance and no recovery is under way."""
        return not (self.should_stop or self.rebalancing) and self.tables.actives_ready

    def assigned(self) -> Collection[TP]:
        """Return the partitions assigned to this worker, when events flow."""
        return self.consumer.assignment() if self.flows() else ()

    def recovered_at(self) -> float | None:
        """Return when the latest changelog record was recovered, or written from a table on disk.

        In monotonic seconds; None where nothing was.
        """
        moments = (transport.recovered_at(self), self.logs.filled_at)
        return max((at for at in moments if at is not None), default=None)

    def through(self, tp: TP) -> int:
        """Return the offset before which everything of `tp` has passed all checkpoints."""
        return cast("transport.SafeConsumer", self.consumer).through(tp)

    def through_source(self, source: str) -> int:
        """Return the same of a source that a row names; -1: it lies in a log that is gone."""
        topic, partition, epoch = read_source(source)
        current = self.logs.epoch(topic, partition)
        return self.through(TP(topic, partition)) if epoch == current else -1

    async def watch_logs(self) -> None:
        """Check the logs that are read, in a loop."""
        await watch(self.logs, self)

    def sources(self) -> list[tuple[str, int]]:
        """Return the topics and partitions that are assigned, whether events flow or not."""
        return [(tp.topic, tp.partition) for tp in self.consumer.assignment()]

    def producer_of(self, agent: str) -> AIOKafkaProducer:
        """Return the producer of `agent`, once the app has started."""
        return producer_of(self, agent)

    async def commit_at(self, offsets: Mapping[tuple[str, int], int]) -> bool:
        """Commit `offsets`, whatever the watermarks say; return whether the group took them."""
        return await cast("transport.SafeConsumer", self.consumer).commit_at(offsets)

    def mark(self, topic: str, partition: int) -> str | None:
        """Return the metadata of a commit of that partition: the log that it was made in."""
        return self.logs.mark(topic, partition)

    def lags(self) -> dict[TP, int]:
        """Return how many events each partition read here is behind."""
        return {} if self.rebalancing else cast("transport.SafeConsumer", self.consumer).lags()

    async def on_start(self) -> None:
        """Open the HTTP server before the tables are checked: health answers during a recovery."""
        try:
            for begin in self.before_tables:
                await begin()
            await asyncio.to_thread(set_aside_damaged, self.conf.datadir)
            await self.logs.check_tables(self.conf.datadir)
            await check_durable(self.logs.config, self.logs.topics() | self.owned_topics)
        except (OSError, TopicError) as error:
            # A full disk, a port that is taken: the error names it.
            hard_stop(f"this worker cannot start: {error}. Operator: put that right first.")
        await super().on_start()

    async def on_stop(self) -> None:
        """Let the batch in flight end, commit it, close the HTTP server, stop as Faust does."""
        # The parent may be gone, and the broker too: nothing else would end this process then.
        end_within(STOP_SECONDS_MAX)
        if self._consumer is not None:
            await cast("transport.SafeConsumer", self._consumer).drain(DRAIN_SECONDS)
        for end in self.at_stop:
            await end()
        await super().on_stop()

    def _crash(self, reason: BaseException) -> None:
        """End at once, the reason last: Faust would write a page behind it, and end later."""
        if self.should_stop:
            super()._crash(reason)
        else:
            hard_stop(f"{type(reason).__name__}: {' '.join(str(reason).split())}")

    def _on_rebalance_when_stopped(self) -> None:
        """Leave the consumer to the stop: Faust would close it here, and not leave the group."""


def make_app(config: Config) -> PayflowApp:
    """Return the app of `config.service`: one consumer group, its own tables and data directory."""
    transport.harden()
    config.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return PayflowApp(
        group_of(config.service),
        payflow=config,
        broker=f"kafka://{config.broker_url}",
        broker_credentials=_credentials(config),
        store="rocksdb://?driver=rocksdict",
        datadir=str(config.data_path / config.service),
        processing_guarantee="at_least_once",
        autodiscover=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=config.partitions,
        topic_replication_factor=config.replication,
        topic_disable_leader=True,
        table_standby_replicas=0,
        broker_commit_interval=0.5,
        broker_commit_every=1_000_000,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=2.0,
        broker_request_timeout=REQUEST_SECONDS,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        broker_max_poll_records=2_000,
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED_EVENTS_MAX,
        stream_recovery_delay=0.2,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        producer_acks=-1,
        producer_linger=0,
        producer_max_batch_size=1 << 20,
        producer_max_request_size=PRODUCE_BYTES_MAX,
        producer_request_timeout=REQUEST_SECONDS,
        web_enabled=False,
        worker_redirect_stdouts=False,
        cython_optimizations=False,
    )


def declare_table(app: PayflowApp, agent: Agent, config: Config) -> Store | None:
    """Return the store of the table of `agent`, or None when it has none."""
    if agent.table is None:
        return None
    table = app.Table(
        agent.table.name,
        key_type=bytes,
        value_type=bytes,
        partitions=config.partitions,
        help=agent.table.help,
        options=dict(ROCKSDB_OPTIONS),
    )
    store = Store(table)
    app.before_tables.append(store.stop_on_errors)
    if len(app.tables) == 1:
        # When the first table has been recovered, all of them have.
        table.on_recover(partial(app.logs.check, app))
        app.task(app.watch_logs)
    return store


def channel_of(app: PayflowApp, names: Iterable[str]) -> Any:
    """Return one Faust topic over all of `names`, as raw bytes, which the engine decodes."""
    return app.topic(*names, key_serializer="raw", value_serializer="raw")


def _credentials(config: Config) -> Any:
    if config.security_protocol == "PLAINTEXT":
        return None
    context = ssl.create_default_context(cafile=config.ssl_cafile or None)
    if not config.sasl_mechanism:
        return faust.SSLCredentials(context)
    return faust.SASLCredentials(
        username=config.sasl_username,
        password=config.sasl_password,
        mechanism=config.sasl_mechanism,
        ssl_context=context if config.security_protocol.endswith("SSL") else None,
    )
