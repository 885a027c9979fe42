"""Whether a service has run before this start: a new one begins with what there is (ADR 19).

What is left of a service that was away for long is not its commits, which expire, but what it has
written: topics that only it writes, its changelogs among them, never end before where they ended.
"""

from collections.abc import Collection, Mapping

import structlog
from aiokafka import TopicPartition

from app.config import Config
from app.kafka.admin import admin_client
from app.kafka.applied_logs import AppliedLogs, has_run
from app.kafka.groups import commits
from app.kafka.reader import reader, span
from app.worker.log_identity import Position

log = structlog.get_logger(__name__)


async def has_service_run(
    config: Config, group: str, owned: Collection[str], rows: Collection[AppliedLogs]
) -> bool:
    """Return whether the service of `group`, which alone writes the topics `owned`, has run.

    `rows` say which logs its open tables remember.
    """
    async with reader(config) as consumer, admin_client(config) as admin:
        metadata = [each.metadata for each in (await commits(admin, group)).values()]
        described = await admin.describe_topics()
        places = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            if topic["topic"] in owned
            for partition in topic["partitions"]
        ]
        _, ends = await span(consumer, places)
    return has_run(metadata, ends.values(), rows)


def report_start(positions: Mapping[TopicPartition, Position], service: str) -> None:
    """Log where `service` starts for the first time, and what was deleted before."""
    deleted_ranges = [
        f"{place.topic}/{place.partition}: 0 to {position.offset - 1}"
        for place, position in sorted(positions.items())
        if position.log.joined and position.offset
    ]
    if deleted_ranges:
        log.warning(
            "first start, from the earliest records there are", service=service, gone=deleted_ranges
        )
