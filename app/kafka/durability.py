"""Whether what the brokers acknowledge outlives the loss of one of them, and stays long enough.

With one replica there is nothing to ask for. With more, Kafka's own defaults let a leader
acknowledge alone (`min.insync.replicas` 1), and the record is lost with that broker.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.config import Config
from app.kafka.admin import TopicSpec, admin_client, topic_settings
from app.kafka.errors import TopicError

SYNCED = "min.insync.replicas"
UNCLEAN = "unclean.leader.election.enable"
RETENTION = "retention.ms"
CLEANUP = "cleanup.policy"
SYNCED_MIN = 2
"""How many brokers have a record before it is acknowledged, where `replication` is over 1."""
NAMES_MAX = 3


def durable_settings(replication: int) -> dict[str, str]:
    """Return the settings of a topic, by Kafka's names, that keep what was acknowledged."""
    return {SYNCED: str(SYNCED_MIN), UNCLEAN: "false"} if replication > 1 else {}


async def check_durable(config: Config, names: Iterable[str]) -> None:
    """Raise TopicError when a record that a topic acknowledges may be lost with one broker.

    Topics that do not exist are left out. Nothing is asked where `replication` is 1.
    """
    if config.replication == 1:
        return
    async with admin_client(config) as admin:
        described: list[dict[str, Any]] = await admin.describe_topics(sorted(names))
        there = [topic for topic in described if not topic["error_code"]]
        settings = await topic_settings(
            admin, [str(topic["topic"]) for topic in there], (SYNCED, UNCLEAN)
        )
    refused = {
        topic["topic"]: faults
        for topic in there
        if (faults := list(_faults(config, topic, settings.get(topic["topic"], {}))))
    }
    if refused:
        raise TopicError(_refusal(refused))


async def forgetful_topics(config: Config, specs: Iterable[TopicSpec]) -> list[str]:
    """Return the topics that keep records for less than is wanted, such as those made earlier.

    Also those that are compacted and should not be.
    """
    retention_ms_by_topic = {
        spec.name: spec.retention_ms if spec.retention_ms >= 0 else math.inf
        for spec in specs
        if spec.cleanup == "delete"
    }
    if not retention_ms_by_topic:
        return []
    async with admin_client(config) as admin:
        settings = await topic_settings(admin, sorted(retention_ms_by_topic), (RETENTION, CLEANUP))
    return sorted(
        name
        for name, own in settings.items()
        if "compact" in own.get(CLEANUP, "")
        or 0 <= int(own.get(RETENTION, "-1")) < retention_ms_by_topic[name]
    )


def _faults(config: Config, topic: Mapping[str, Any], settings: Mapping[str, str]) -> Iterator[str]:
    replicas = min(len(partition["replicas"]) for partition in topic["partitions"])
    if replicas < config.replication:
        yield f"has {replicas} replica(s), PAYFLOW_REPLICATION is {config.replication}"
    if int(settings.get(SYNCED, "1")) < SYNCED_MIN:
        yield f"has {SYNCED}={settings.get(SYNCED, '1')}, {SYNCED_MIN} are needed"
    if settings.get(UNCLEAN, "false") != "false":
        yield f"has {UNCLEAN}=true: a broker that lacks records may lead"


def _refusal(refused: Mapping[str, Sequence[str]]) -> str:
    some = "; ".join(
        f"{name} {', '.join(faults)}" for name, faults in list(refused.items())[:NAMES_MAX]
    )
    more = f"; and {len(refused) - NAMES_MAX} more" if len(refused) > NAMES_MAX else ""
    return (
        f"acknowledged events may be lost with one broker: topic {some}{more}. Operator: "
        f"kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config "
        f"{SYNCED}={SYNCED_MIN},{UNCLEAN}=false, and kafka-reassign-partitions.sh for replicas; "
        "or PAYFLOW_REPLICATION=1, which accepts that loss."
    )
