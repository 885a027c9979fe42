"""Checks the logs while a worker runs, and ends it when one is no longer what it was.

Faust notices nothing of it: a topic that was made again is read from its beginning, and all of it
is dropped as applied; partitions that were added are assigned after minutes.
"""

import asyncio
from collections import Counter

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.host.exit import EXIT_REFUSED, hard_stop
from app.kafka.errors import KAFKA_ERRORS
from app.kafka.logs import topic_logs
from app.kafka.reader import reader, span
from app.wire.records import source_name
from app.worker.log_check import LogCheck
from app.worker.log_identity import (
    LogRefused,
    check_begin,
    check_end,
    check_identity,
    check_partitions,
    missing_topic,
)
from app.worker.worker_app import WorkerApp

CHECK_SECONDS = 3.0
"""How often the logs are checked."""
ANSWER_SECONDS_MAX = 5.0
"""aiokafka asks for the offsets of a topic that is just being deleted for 40 s."""
CHECKS = 3
"""In how many checks in a row a topic is missing before it is gone: a broker that has just started
may know none of them. A log that begins behind what was read is checked as often: what was fetched
before its beginning was deleted may still be under way."""

log = structlog.get_logger(__name__)


async def watch(logs: LogCheck, app: WorkerApp) -> None:
    """Check in a loop; end the process when a log is refused."""
    while True:
        try:
            async with reader(logs.config) as consumer:
                watcher = LogWatch(logs, app, consumer)
                while True:
                    await asyncio.sleep(CHECK_SECONDS)
                    async with asyncio.timeout(ANSWER_SECONDS_MAX):
                        await watcher.check()
        except LogRefused as error:
            hard_stop(str(error), EXIT_REFUSED)
        except (*KAFKA_ERRORS, TimeoutError, OSError) as error:
            # Nothing is concluded while the broker does not answer.
            log.warning("logs not checked", error=repr(error))
            await asyncio.sleep(CHECK_SECONDS)


class LogWatch:
    """Compares what one worker reads with what the brokers say now."""

    def __init__(self, logs: LogCheck, app: WorkerApp, consumer: AIOKafkaConsumer) -> None:
        self._logs = logs
        self._app = app
        self._consumer = consumer
        self._missing: Counter[str] = Counter()
        """By topic, in how many checks in a row it was missing."""
        self._deleted: Counter[TopicPartition] = Counter()
        """By place, in how many checks in a row its log began behind what was read."""

    async def check(self) -> None:
        """Check once. Raises LogRefused, and KafkaError where the broker does not answer."""
        # Also what is not assigned now: aiokafka gives up the partitions of a deleted topic, and
        # notices in five minutes that it is there again.
        before = {at: position.log.identity for at, position in self._logs.positions.items()}
        before |= {(name, 0): each for name, each in self._logs.changelogs.items()}
        logs = await topic_logs(self._consumer, {topic for topic, _ in before})
        for (topic, partition), identity in before.items():
            if topic in logs:
                source = self._logs.source(topic, partition)
                check_identity(source, identity, logs[topic].identity)
                check_partitions(source, logs[topic].partitions)
        missing = {topic for topic, _ in before} - logs.keys()
        self._missing = Counter({topic: self._missing[topic] + 1 for topic in missing})
        for topic, checks in self._missing.items():
            if checks >= CHECKS:
                raise missing_topic(self._logs.source(topic, 0))
        if self._app.flows():
            await self._check_offsets(
                [
                    TopicPartition(*at)
                    for at in self._app.sources()
                    if at[0] in logs and at in self._logs.positions
                ]
            )

    async def _check_offsets(self, places: list[TopicPartition]) -> None:
        # Taken before the ends: what comes in meanwhile only moves those.
        through = {
            place: self._app.through_source(source_name(*place, self._logs.epoch(*place)))
            for place in places
        }
        begins, ends = await span(self._consumer, places)
        for place, offset in through.items():
            source = self._logs.source(*place)
            check_end(source, offset, ends[place])
            self._deleted[place] = self._deleted[place] + 1 if offset < begins[place] else 0
            if self._deleted[place] >= CHECKS:
                check_begin(source, offset, begins[place])
