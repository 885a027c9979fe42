"""What the brokers say of the logs themselves: which they are, how far they go, what is committed.

aiokafka 0.14 asks for metadata up to version 5, which has no topic ids (KIP-516): version 10, which
has them since Kafka 2.8, is declared here. An older broker says the id of its cluster alone.
"""

import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from io import BytesIO

import msgspec
import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from aiokafka.structs import OffsetAndMetadata

from app.config import Config
from app.kafka.admin import admin_client
from app.kafka.groups import commits
from app.kafka.reader import high_watermarks, reader, span
from app.wire.topics import topic_name

UUID_BYTES = 16
ASK_SECONDS_MAX = 30.0
"""How long the brokers may take to say it: in their first seconds they know little."""
OFFSETS_MS_MAX = 10_000
"""How long they may take to say how far changelogs go, before they are asked again."""
NO_ID = bytes(UUID_BYTES)
"""What stands for no topic id on the wire."""


Commit = Callable[[Mapping[TopicPartition, OffsetAndMetadata]], Awaitable[None]]
Mark = Callable[[str, int], str | None]
"""The metadata of a commit of a topic and partition; None: it must not be committed yet."""


class LogIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which log a topic is: a topic that is made again under its name is another."""

    topic_id: str = msgspec.field(name="t", default="")
    """As Kafka's own tools print it; empty before Kafka 2.8."""
    cluster_id: str = msgspec.field(name="c", default="")

    def is_same(self, other: "LogIdentity") -> bool:
        """Return whether both are one log; the cluster's id decides where one has no topic id."""
        if self.topic_id and other.topic_id:
            return self.topic_id == other.topic_id
        return self.cluster_id == other.cluster_id

    def __str__(self) -> str:
        """Return the id that people compare."""
        return self.topic_id or f"of cluster {self.cluster_id}"


class TopicLog(msgspec.Struct, frozen=True, kw_only=True):
    """The log of one topic as it is now."""

    identity: LogIdentity
    partitions: int


class PlaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One partition as it is now: its offsets, and what a group has committed of it."""

    log: TopicLog
    begin: int
    end: int
    committed: int | None
    """The next offset of the group; None: it has committed nothing."""
    metadata: str = ""
    """What the committer wrote beside the offset."""


async def topic_logs(
    client: AIOKafkaConsumer | AIOKafkaAdminClient, names: Iterable[str]
) -> dict[str, TopicLog]:
    """Return the log of each topic that exists. `client` is a started consumer or admin."""
    connection = client._client  # noqa: SLF001  neither has a request for metadata of its own
    answer = await connection.send(connection.get_random_node(), _MetadataQuery(sorted(names)))
    return _topic_logs(answer.to_object())


def _topic_logs(answer: object) -> dict[str, TopicLog]:
    read = msgspec.convert(answer, _Metadata)
    return {
        each.topic: TopicLog(
            identity=LogIdentity(topic_id=each.topic_id, cluster_id=read.cluster_id or ""),
            partitions=len(each.partitions),
        )
        for each in read.topics
        if not each.error_code
    }


@stamina.retry(on=KafkaError, attempts=None, timeout=ASK_SECONDS_MAX)
async def place_facts(
    config: Config, group: str, places: Sequence[TopicPartition]
) -> dict[TopicPartition, PlaceFacts]:
    """Return the facts of each of `places` whose topic exists and has that partition."""
    async with reader(config) as consumer, admin_client(config) as admin:
        return await _place_facts(consumer, admin, group, places)


async def _place_facts(
    consumer: AIOKafkaConsumer,
    admin: AIOKafkaAdminClient,
    group: str,
    places: Sequence[TopicPartition],
) -> dict[TopicPartition, PlaceFacts]:
    logs = await topic_logs(admin, {place.topic for place in places})
    there = [
        place
        for place in places
        if place.topic in logs and place.partition < logs[place.topic].partitions
    ]
    if not there:
        return {}
    begins, ends = await span(consumer, there)
    # A recovery goes to the end of a changelog, decided or not, and so does what a table holds.
    changelogs = [place for place in there if topic_name(place.topic).kind == "changelog"]
    ends |= await high_watermarks(consumer, changelogs, OFFSETS_MS_MAX)
    offsets = await commits(admin, group)
    facts: dict[TopicPartition, PlaceFacts] = {}
    for place in there:
        commit = offsets.get(place)
        facts[place] = PlaceFacts(
            log=logs[place.topic],
            begin=begins[place],
            end=ends[place],
            committed=commit.offset if commit is not None and commit.offset >= 0 else None,
            metadata=commit.metadata or "" if commit is not None else "",
        )
    return facts


def marked(commit: Commit, mark: Mark) -> Commit:
    """Return `commit` of a consumer with what `mark` says as the metadata of each offset.

    What it says nothing of is left out. Nothing of it was read yet, so the group is there anyway;
    committed without metadata it would look like an offset that another client committed.
    """

    async def commit_marked(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        marked_offsets = {
            place: OffsetAndMetadata(each.offset, metadata)
            for place, each in offsets.items()
            if (metadata := mark(place.topic, place.partition)) is not None
        }
        if marked_offsets:
            await commit(marked_offsets)

    return commit_marked


class _TopicId(AbstractType[str]):
    """A UUID: 16 bytes on the wire, base64 without padding for people; nothing where unknown."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return base64.urlsafe_b64decode(f"{value}==") if value else NO_ID

    @classmethod
    def decode(cls, data: BytesIO) -> str:
        raw = data.read(UUID_BYTES)
        return "" if raw == NO_ID else base64.urlsafe_b64encode(raw).decode().rstrip("=")


class _TopicMetadata(msgspec.Struct):
    error_code: int
    topic: str
    partitions: list[object]
    topic_id: str = ""


class _Metadata(msgspec.Struct):
    """As much of an answer as is read, of either version."""

    topics: list[_TopicMetadata]
    cluster_id: str | None = None


class _MetadataResponse_v10(Response):  # noqa: N801  named as aiokafka names its own
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _TopicId),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )

    @property
    def API_KEY(self) -> int:  # noqa: N802  named as aiokafka names its own
        return 3

    @property
    def API_VERSION(self) -> int:  # noqa: N802  as above
        return 10


class _MetadataRequest_v10(RequestStruct):  # noqa: N801  named as aiokafka names its own
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse_v10
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _TopicId), ("topic", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataQuery(Request[MetadataRequest_v5 | _MetadataRequest_v10]):
    """Asks for the metadata of topics, and makes none of them."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(
        self, request_struct_class: type[MetadataRequest_v5 | _MetadataRequest_v10]
    ) -> MetadataRequest_v5 | _MetadataRequest_v10:
        if request_struct_class is MetadataRequest_v5:
            return MetadataRequest_v5(self._topics, False)  # noqa: FBT003  the wire's order
        topics = [("", name, {}) for name in self._topics]
        return _MetadataRequest_v10(topics, False, False, False, {})  # noqa: FBT003  as above
