"""Consumer groups as the brokers know them: committed offsets, members."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata

from app.config import Config
from app.kafka.admin import start_client, stop_consumer
from app.kafka.reader import consumer_options

SESSION_SECONDS = 8.0
"""The session timeout: without heartbeats for so long, a group reassigns a worker's partitions."""
REQUEST_SECONDS = 40.0
"""The request timeout: longer than a broker may delay the answer to a member that joins."""
COORDINATOR_SECONDS_MAX = 30.0
COORDINATOR_AWAY = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""Errors of a broker about its groups in its first seconds."""


class _Offset(msgspec.Struct):
    partition: int
    offset: int
    metadata: str | None
    error_code: int


class _TopicOffsets(msgspec.Struct):
    topic: str
    partitions: list[_Offset]


class _Offsets(msgspec.Struct):
    topics: list[_TopicOffsets]
    error_code: int


def group_of(service: str) -> str:
    """Return the name of the consumer group of a service; Faust names changelogs after it."""
    return f"payflow-{service}"


async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return the next offset of each partition that `group` has committed; -1: none."""
    return {place: commit.offset for place, commit in (await commits(admin, group)).items()}


@stamina.retry(on=COORDINATOR_AWAY, attempts=None, timeout=COORDINATOR_SECONDS_MAX)
async def commits(
    admin: AIOKafkaAdminClient, group: str
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Return what `group` has committed of each partition, with the committer's metadata.

    aiokafka 0.14 takes a coordinator that is still loading for a group without commits: it ignores
    the error of the whole answer.
    """
    coordinator = await admin.find_coordinator(group)
    answer = await admin._send_request(OffsetFetchRequest(group, None), coordinator)  # noqa: SLF001
    read = msgspec.convert(answer.to_object(), _Offsets)
    if read.error_code:
        raise for_code(read.error_code)(f"the offsets of {group} cannot be read")
    return {
        TopicPartition(each.topic, at.partition): OffsetAndMetadata(at.offset, at.metadata or "")
        for each in read.topics
        for at in each.partitions
        if not at.error_code
    }


async def commit_for(
    config: Config, group: str, offsets: Mapping[TopicPartition, tuple[int, str]]
) -> None:
    """Commit offsets, each with its metadata, for a group that nobody is in. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        group_id=group, enable_auto_commit=False, **consumer_options(config)
    )
    try:
        await start_client(consumer)
        consumer.assign(list(offsets))
        await consumer.commit({place: OffsetAndMetadata(*each) for place, each in offsets.items()})
    finally:
        await stop_consumer(consumer)


async def described_group(admin: AIOKafkaAdminClient, name: str) -> Any:
    """Return state and members of a group, as the protocol has them."""
    # One group a request: aiokafka 0.14 asks in version 3 and reads the answer as version 2, which
    # lacks the bytes between one group and the next.
    answers: list[Any] = await admin.describe_consumer_groups([name])
    return next(group for answer in answers for group in answer.groups)


def assigned_to(member: Any) -> Iterable[TopicPartition]:
    """Return the partitions of a member; none for a group of another protocol than consumers'."""
    if not member[-1]:
        return []
    try:
        return ConsumerProtocolMemberAssignment.decode(member[-1]).partitions()
    except (ValueError, TypeError, IndexError, UnicodeDecodeError):
        return []
