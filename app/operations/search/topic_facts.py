"""Facts about topics: partitions, sizes and retention."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.config import Config
from app.kafka.admin import AIOKafkaAdminClient, admin_client, topic_settings
from app.kafka.errors import NoSuchTopic
from app.kafka.reader import TopicPartition, reader, span
from app.kafka.sizes import sizes
from app.wire.topics import topic_name

SETTINGS = ("cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes")


class PartitionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One partition, from `begin` to `end` (after the last); compacted topics have gaps."""

    partition: int
    begin: int
    end: int
    bytes: int | None
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class TopicFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `bytes` None: the brokers do not say; `retention_ms` -1: for ever."""

    name: str
    records: int
    bytes: int | None
    retention_ms: int | None
    cleanup: str
    settings: dict[str, str]
    partitions: tuple[PartitionFacts, ...]


async def topics(config: Config, *, internal: bool = False) -> list[TopicFacts]:
    """Return every topic by name; changelogs and Kafka's own only when `internal`."""
    async with admin_client(config) as admin:
        described = await admin.describe_topics()
        descriptions = [
            topic
            for topic in sorted(described, key=lambda topic: topic["topic"])
            if internal
            or not (topic["topic"][0] == "_" or topic_name(topic["topic"]).kind == "changelog")
        ]
        return await _facts(config, admin, descriptions)


async def topic_facts(config: Config, name: str) -> TopicFacts:
    """Return the facts about one topic. Raises NoSuchTopic."""
    async with admin_client(config) as admin:
        described = [each for each in await admin.describe_topics() if each["topic"] == name]
        if not described:
            raise NoSuchTopic(f"there is no topic {name!r}; see: payflow topics ls")
        return (await _facts(config, admin, described))[0]


async def _facts(
    config: Config, admin: AIOKafkaAdminClient, described: Sequence[Any]
) -> list[TopicFacts]:
    places = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]
    async with reader(config) as consumer:
        begin, end = await span(consumer, places)
    size = await sizes(admin)
    settings = await topic_settings(admin, [topic["topic"] for topic in described], SETTINGS)
    facts = []
    for topic in described:
        name = topic["topic"]
        parts = tuple(
            _partition(TopicPartition(name, each["partition"]), each, begin, end, size)
            for each in sorted(topic["partitions"], key=lambda each: each["partition"])
        )
        own = settings.get(name, {})
        retention = own.get("retention.ms")
        facts.append(
            TopicFacts(
                name=name,
                records=sum(part.end - part.begin for part in parts),
                bytes=None if size is None else sum(part.bytes or 0 for part in parts),
                retention_ms=None if retention is None else int(retention),
                cleanup=own.get("cleanup.policy", ""),
                settings=own,
                partitions=parts,
            )
        )
    return facts


def _partition(
    place: TopicPartition,
    description: Any,
    begin: Mapping[TopicPartition, int],
    end: Mapping[TopicPartition, int],
    size: Mapping[tuple[str, int], int] | None,
) -> PartitionFacts:
    return PartitionFacts(
        partition=place.partition,
        begin=begin[place],
        end=end[place],
        bytes=None if size is None else size.get((place.topic, place.partition), 0),
        leader=description["leader"],
        replicas=tuple(description["replicas"]),
        in_sync=tuple(description["isr"]),
    )
