"""Consumer groups as the brokers know them: committed offsets, members."""

from collections.abc import Iterable
from typing import Any

import stamina
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

COORDINATOR_SECONDS_MAX = 30.0
COORDINATOR_AWAY = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""Errors of a broker about its groups in its first seconds."""


@stamina.retry(on=COORDINATOR_AWAY, attempts=None, timeout=COORDINATOR_SECONDS_MAX)
async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return the next offset of each partition that `group` has committed; -1: none."""
    offsets = await admin.list_consumer_group_offsets(group)
    return {place: known.offset for place, known in offsets.items()}


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
