"""Creates topics explicitly, with partitions, retention and clean-up."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
import stamina
import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code
from aiokafka.helpers import create_ssl_context

from app.config import Config
from app.kafka.errors import TopicError
from app.kafka.record_batches import read_any_batch
from app.wire.byte_limits import RECORD_BYTES_MAX

REQUEST_TIMEOUT_MS = 30_000
VISIBLE_SECONDS_MAX = 30
TOPICS_A_REQUEST = 50
WAIT_SECONDS_MAX = 5.0
"""The longest pause before a broker that does not answer is asked again."""
STOP_AGAIN_SECONDS = 1.0
START_SECONDS_MAX = 2.0
"""How long a cancelled start may go on: a stop has five seconds in all."""

log = structlog.get_logger(__name__)


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How a topic must be. `retention_ms` -1 keeps records for ever."""

    name: str
    partitions: int
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = 604_800_000
    config: dict[str, str] = {}
    """Further settings of the topic, by Kafka's names."""


def client_options(config: Config) -> dict[str, Any]:
    """Return what every aiokafka client needs to reach the cluster: address and security.

    Raises TopicError when there is no address: the embedded broker has not been started.
    """
    if not config.broker_url:
        raise TopicError("PAYFLOW_BROKER_URL is not set and no broker of our own was started")
    read_any_batch()
    options: dict[str, Any] = {
        "bootstrap_servers": config.broker_url.split(","),
        "security_protocol": config.security_protocol,
    }
    if config.security_protocol.endswith("SSL"):
        options["ssl_context"] = create_ssl_context(cafile=config.ssl_cafile or None)
    if config.sasl_mechanism:
        options["sasl_mechanism"] = config.sasl_mechanism
        options["sasl_plain_username"] = config.sasl_username
        options["sasl_plain_password"] = config.sasl_password
    return options


async def start_client(client: Any) -> None:
    """Start an aiokafka client, so that it can be stopped when the start is cancelled.

    aiokafka 0.14 forgets a connection that is being opened when its start is cancelled.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait({starting}, timeout=START_SECONDS_MAX)
        if not done:
            starting.cancel()
        elif not starting.cancelled() and (error := starting.exception()) is not None:
            log.debug("a client that nobody waited for did not start", error=repr(error))
        raise


async def stop_consumer(consumer: Any) -> None:
    """Stop an aiokafka consumer, which does not always end when it is asked once.

    A cancellation that meets aiokafka 0.14's fetcher while it lets go of an old assignment is
    swallowed there, and the stop waits for ever; a second one is received.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    while not (await asyncio.wait({stopping}, timeout=STOP_AGAIN_SECONDS))[0]:
        consumer._fetcher._fetch_task.cancel()  # noqa: SLF001  see above
    stopping.result()


@asynccontextmanager
async def admin_client(config: Config) -> AsyncGenerator[AIOKafkaAdminClient]:
    """Open a client that asks the brokers, and makes topics."""
    admin = AIOKafkaAdminClient(
        client_id="payflow-admin", request_timeout_ms=REQUEST_TIMEOUT_MS, **client_options(config)
    )
    try:
        await start_client(admin)
        yield admin
    finally:
        await admin.close()


async def wait_for_broker(config: Config, is_over: Callable[[], bool]) -> None:
    """Return when a broker answers, or when `is_over`: there is no end to how long one is away."""
    tries = stamina.retry_context(
        on=KafkaConnectionError, attempts=None, timeout=None, wait_max=WAIT_SECONDS_MAX
    )
    async for attempt in tries:
        with attempt:
            if not is_over():
                async with admin_client(config):
                    return


async def ensure_topics(config: Config, specs: Sequence[TopicSpec]) -> list[str]:
    """Make the missing topics, wait until all can be used; return the names of the new ones.

    May be called by several processes at once. Settings of existing topics stay as they are.
    Raises TopicError for a topic that has another number of partitions or cannot be made.
    """
    async with admin_client(config) as admin:
        existing = await _partitions(admin, specs)
        _compare(specs, existing)
        missing = [spec for spec in specs if spec.name not in existing]
        new_names: list[str] = []
        for some in _chunks(missing):
            new_names += await _create(admin, config, some)
        await _visible(admin, specs)
    return new_names


async def topic_settings(
    admin: AIOKafkaAdminClient, names: Sequence[str], settings: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return `settings` of each topic by Kafka's names, as far as the brokers say them."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(settings))
        for name in names
    ]
    answers: list[Any] = await admin.describe_configs(resources) if resources else []
    return {
        name: {setting[0]: setting[1] for setting in entries if setting[1] is not None}
        for answer in answers
        for error_code, _, _, name, entries in answer.resources
        if not error_code
    }


async def alter_topics(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Give existing topics the settings of `specs`, and no others. Raises TopicError."""
    altered = [
        ConfigResource(ConfigResourceType.TOPIC, spec.name, configs=_settings(spec))
        for spec in specs
    ]
    answers: list[Any] = await admin.alter_configs(altered)
    for answer in answers:
        for code, detail, _, name in answer.resources:
            if code:
                raise TopicError(f"topic {name} cannot be altered: {detail}")


async def delete_before(admin: AIOKafkaAdminClient, ends: Mapping[TopicPartition, int]) -> None:
    """Delete the records of each partition before an offset."""
    await admin.delete_records(
        {place: RecordsToDelete(before_offset=end) for place, end in ends.items() if end}
    )


async def _partitions(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> Mapping[str, int]:
    """Return the number of partitions of each wanted topic that exists and can be written to."""
    described = await admin.describe_topics([spec.name for spec in specs]) if specs else []
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in described
        if not topic["error_code"]
        and all(partition["leader"] >= 0 for partition in topic["partitions"])
    }


def _compare(specs: Sequence[TopicSpec], existing: Mapping[str, int]) -> None:
    for spec in specs:
        count = existing.get(spec.name, spec.partitions)
        if count != spec.partitions:
            raise TopicError(
                f"topic {spec.name} has {count} partitions, {spec.partitions} are wanted; rows "
                "would lose their keys. Operator: set PAYFLOW_PARTITIONS to what the topics have, "
                "or start with a new cluster (embedded: another PAYFLOW_DATA_DIR)."
            )


async def _create(
    admin: AIOKafkaAdminClient, config: Config, specs: Sequence[TopicSpec]
) -> list[str]:
    new_topics = [
        NewTopic(
            name=spec.name,
            num_partitions=spec.partitions,
            replication_factor=config.replication,
            topic_configs=_settings(spec),
        )
        for spec in specs
    ]
    answer: Any = await admin.create_topics(new_topics)
    names: list[str] = []
    for name, code, *detail in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicError(f"topic {name} cannot be made: {error.__name__} {detail or ''}")
        if not code:
            names.append(name)
    return names


def _settings(spec: TopicSpec) -> dict[str, str]:
    return {
        "cleanup.policy": spec.cleanup,
        "retention.ms": str(spec.retention_ms),
        "max.message.bytes": str(RECORD_BYTES_MAX),
        **spec.config,
    }


async def _visible(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Wait until every wanted topic has a leader for each partition."""
    deadline_s = time.monotonic() + VISIBLE_SECONDS_MAX
    names = {spec.name for spec in specs}
    while True:
        existing = await _partitions(admin, specs)
        _compare(specs, existing)
        unseen = sorted(names - set(existing))
        if not unseen:
            return
        if time.monotonic() > deadline_s:
            raise TopicError(f"topic {unseen[0]} has no leader after {VISIBLE_SECONDS_MAX} s")
        await asyncio.sleep(0.05)


def _chunks(specs: Sequence[TopicSpec]) -> Iterator[Sequence[TopicSpec]]:
    for first in range(0, len(specs), TOPICS_A_REQUEST):
        yield specs[first : first + TOPICS_A_REQUEST]
