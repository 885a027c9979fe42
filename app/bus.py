"""The one Faust application of this process, built from Config. Every option is said here."""

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from app import transport
from app.config import Config
from app.lease import Lease
from app.record import retry_topics
from app.room import Room
from app.topics import timers_of
from app.transport import Store, Watermarks

ROCKSDB_OPTIONS = {
    "driver": "rocksdict",
    "block_cache_size": 8 << 20,
    "write_buffer_size": 8 << 20,
    "max_write_buffer_number": 2,
    "max_open_files": 128,
}
"""Faust's defaults are a 2 GiB cache and 192 MiB of buffers for every partition of every table."""
SESSION_SECONDS = 12.0
"""How long a group waits for a worker that says nothing before it gives its partitions away."""
BUFFERED_EVENTS_MAX = 8_192
"""Events waiting in front of one room; more pause their partition."""


class House(faust.App):
    """A Faust app that knows how far its rooms are through."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.watermarks = Watermarks()
        self.lease = Lease(SESSION_SECONDS)
        self.owned_topics: set[str] = set()
        """What only the owner of the partitions may write: what rooms tell, and changelogs."""
        self.revocation_listeners: list[Callable[[set[TP]], None]] = []
        self.before_tables: list[Any] = []
        """Async functions to run at the start, before any table recovers."""
        self.at_stop: list[Any] = []
        super().__init__(*args, **options)

    def on_revoked(self, revoked: set[TP]) -> None:
        """Tell everyone who holds something of `revoked`."""
        for listener in self.revocation_listeners:
            listener(revoked)

    def lost_lease(self) -> None:
        """End the process when the group has dropped it in the middle of a batch."""
        if self.lease.lost and not self.watermarks.idle.is_set():
            transport.hard_stop("the group went on without this worker, which was in a batch")

    def through(self, tp: TP) -> int:
        """Return the offset before which everything of `tp` has been taken through all beats."""
        return self.consumer.through(tp)

    def lags(self) -> dict[TP, int]:
        """Return how many events each partition read here is behind."""
        return {} if self.rebalancing else self.consumer.lags()

    async def on_start(self) -> None:
        """Open the doors first, so that health can be asked for during recovery."""
        for begin in self.before_tables:
            await begin()
        await super().on_start()

    async def on_stop(self) -> None:
        """Close the doors, then stop as Faust does."""
        for end in self.at_stop:
            await end()
        await super().on_stop()


def make_app(config: Config) -> House:
    """Return the app of `config.service`: one consumer group, its own tables and data directory."""
    transport.harden()
    # Faust makes its own folder, but not the ones above it.
    Path(config.data_dir).mkdir(parents=True, exist_ok=True)
    return House(
        f"payflow-{config.service}",
        broker=f"kafka://{config.broker_url}",
        broker_credentials=_credentials(config),
        store="rocksdb://?driver=rocksdict",
        datadir=str(Path(config.data_dir) / config.service),
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
        broker_heartbeat_interval=3.0,
        broker_request_timeout=120.0,
        broker_rebalance_timeout=60.0,
        broker_max_poll_records=2_000,
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED_EVENTS_MAX,
        stream_recovery_delay=0.2,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 << 20,
        producer_acks=-1,
        producer_linger=0,
        producer_max_batch_size=1 << 20,
        producer_max_request_size=4 << 20,
        producer_request_timeout=120.0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        cython_optimizations=False,
    )


def declare_table(app: House, room: Room, config: Config) -> Store | None:
    """Return the store of what `room` keeps, or None when it keeps nothing."""
    if room.keeps is None:
        return None
    table = app.Table(
        room.keeps.name,
        key_type=bytes,
        value_type=bytes,
        partitions=config.partitions,
        help=room.keeps.help,
        options=dict(ROCKSDB_OPTIONS),
    )
    return Store(table)


def channel_of(app: House, names: Iterable[str]) -> Any:
    """Return one Faust topic over all of `names`, as raw bytes: decoding is the shell's."""
    return app.topic(*names, key_serializer="raw", value_serializer="raw")


def heard_topics(room: Room) -> tuple[str, ...]:
    """Return every topic `room` reads: what it hears, its retries, its own deadlines."""
    names = [topic.name for topic in room.hears]
    if room.retries:
        names += [retry for name in list(names) for retry in retry_topics(name, room.service)]
    if room.due is not None:
        names.append(timers_of(room.name))
    return tuple(names)


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
