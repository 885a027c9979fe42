"""The embedded broker and the making of topics, on the real thing."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from app.config import Config, ConfigError
from app.kafka import admin
from app.kafka.admin import TopicSpec, ensure_topics
from app.kafka.errors import TopicError
from app.kafka.reader import consumer_options
from app.local import broker, jars
from tests.support.broker import local_config

HERE = Path(__file__).parents[2]
SLF4J = "org.slf4j:slf4j-api:1.7.36"


async def _write(config: Config, topic: str, *bodies: bytes) -> None:
    options = admin.client_options(config)
    async with AIOKafkaProducer(acks="all", max_request_size=4_000_000, **options) as producer:
        for body in bodies:
            await producer.send_and_wait(topic, body, partition=0)


async def _read(config: Config, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(auto_offset_reset="earliest", **consumer_options(config))
    async with asyncio.timeout(30), consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


def _ended(process: psutil.Process) -> bool:
    # An orphan may wait to be reaped by whatever is the first process of this machine.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _reached(config: Config, running: broker.Broker) -> Config:
    return msgspec.structs.replace(config, broker_url=running.url)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
async def test_a_folder_may_have_a_name_of_any_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    """Java properties are Latin-1, and Java reads names of files in the locale's encoding."""
    monkeypatch.setenv("LC_ALL", locale)
    config = local_config(tmp_path / "Bücher 書 😀")
    running = broker.start(config)
    running.stop()
    again = broker.start(config)
    again.stop()

    assert (config.data_path / "kafka" / "data" / "meta.properties").exists()


def test_a_folder_whose_name_kafka_would_divide_is_refused(tmp_path: Path) -> None:
    """Its setting is a list: the broker would write to two other folders."""
    with pytest.raises(broker.BrokerError, match="without a comma"):
        broker.start(local_config(tmp_path / "one,two"))


def test_what_was_written_is_there_after_a_restart_on_the_same_address(tmp_path: Path) -> None:
    """A stopped broker starts again with its data, its topics and its port."""
    config = local_config(tmp_path)
    first = broker.start(config)
    try:
        reached = _reached(config, first)
        asyncio.run(ensure_topics(reached, [TopicSpec(name="kept", partitions=1)]))
        asyncio.run(_write(reached, "kept", b"before"))
    finally:
        first.stop()

    second = broker.start(config)
    try:
        bodies = asyncio.run(_read(_reached(config, second), "kept", 1))
    finally:
        second.stop()

    assert (first.url, [b"before"]) == (second.url, bodies)
    assert not second.running


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL loses no acknowledged record, and the folder is free for the next start."""
    config = local_config(tmp_path)
    first = broker.start(config)
    try:
        reached = _reached(config, first)
        asyncio.run(ensure_topics(reached, [TopicSpec(name="kept", partitions=1)]))
        asyncio.run(_write(reached, "kept", b"one", b"two"))
    finally:
        first.kill()

    second = broker.start(config)
    try:
        bodies = asyncio.run(_read(_reached(config, second), "kept", 2))
    finally:
        second.stop()

    assert [b"one", b"two"] == bodies


def test_a_second_broker_takes_another_port(kafka: broker.Broker, tmp_path: Path) -> None:
    """Who finds the wanted port taken gets a free one."""
    port = int(kafka.url.rpartition(":")[2])

    other = broker.start(local_config(tmp_path, broker_port=port))
    try:
        assert other.running
        assert kafka.url != other.url
    finally:
        other.stop()


def test_a_second_broker_on_the_same_folder_is_refused(kafka: broker.Broker) -> None:
    """The error names the broker that runs there."""
    folder = kafka.log_path.parents[1]

    with pytest.raises(broker.BrokerError, match=rf"runs already .*pid {kafka.pid}, "):
        broker.start(local_config(folder))


def test_no_broker_is_started_beside_a_configured_cluster(tmp_path: Path) -> None:
    """With PAYFLOW_BROKER_URL set nothing is started."""
    with pytest.raises(ConfigError, match="elsewhere:9092"):
        broker.start(local_config(tmp_path, broker_url="elsewhere:9092"))


def test_a_broker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A kill -9 of the owner ends the broker too, and a new one can start at once."""
    environ = {**os.environ, **local_config(tmp_path).to_env()}
    owner = subprocess.Popen(
        [sys.executable, "-m", "app.local.broker"], cwd=HERE, env=environ, stderr=subprocess.PIPE
    )
    assert owner.stderr is not None
    while b"broker ready" not in (line := owner.stderr.readline()):
        assert line, "the broker ended before it was ready"
    [orphan] = psutil.Process(owner.pid).children()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stderr.close()

    emitted: list[str] = []
    running = broker.start(local_config(tmp_path), log=emitted.append)
    running.stop()

    assert _ended(orphan)


def test_the_broker_in_the_foreground_ends_cleanly_when_asked(tmp_path: Path) -> None:
    """SIGTERM to `python -m app.local.broker` stops Kafka and exits with 0."""
    environ = {**os.environ, **local_config(tmp_path).to_env()}
    owner = subprocess.Popen(
        [sys.executable, "-m", "app.local.broker"], cwd=HERE, env=environ, stderr=subprocess.PIPE
    )
    assert owner.stderr is not None
    while b"broker ready" not in (line := owner.stderr.readline()):
        assert line, "the broker ended before it was ready"
    [child] = psutil.Process(owner.pid).children()
    owner.terminate()

    assert owner.wait(30) == 0
    assert _ended(child)
    owner.stderr.close()


def test_a_jar_with_another_hash_is_refused_by_name(tmp_path: Path) -> None:
    """A jar that is not the locked one is neither kept nor run."""
    lock = tmp_path / "jars.lock"
    lock.write_text(f"{'0' * 64}  {SLF4J}\n")
    repository = tmp_path / "repository"

    with pytest.raises(jars.BadJar, match=SLF4J):
        jars.fetch(lock, repository, log=lambda _: None)

    assert [] == list(repository.rglob("slf4j*.jar"))


async def test_topics_are_made_once_however_many_ask(kafka_config: Config, own_name: str) -> None:
    """Three callers at once: each topic is made by exactly one of them."""
    specs = [TopicSpec(name=f"{own_name}-{number}", partitions=2) for number in range(5)]

    created_topics = await asyncio.gather(*(ensure_topics(kafka_config, specs) for _ in range(3)))

    assert sorted(spec.name for spec in specs) == sorted(
        name for names in created_topics for name in names
    )
    assert [] == await ensure_topics(kafka_config, specs)


async def test_another_number_of_partitions_is_an_error(
    kafka_config: Config, own_name: str
) -> None:
    """Rows would lose their keys; the message names topic, numbers and the way out."""
    await ensure_topics(kafka_config, [TopicSpec(name=own_name, partitions=2)])

    with pytest.raises(TopicError, match=rf"topic {own_name} has 2 partitions, 3 are wanted"):
        await ensure_topics(kafka_config, [TopicSpec(name=own_name, partitions=3)])


async def test_a_topic_that_kafka_refuses_is_named(kafka_config: Config, own_name: str) -> None:
    """A setting Kafka does not know ends in an error, not in a topic without it."""
    spec = TopicSpec(name=own_name, partitions=1, config={"no.such": "1"})

    with pytest.raises(TopicError, match=rf"topic {own_name} cannot be made"):
        await ensure_topics(kafka_config, [spec])


async def test_topics_are_never_made_by_accident(kafka_config: Config, own_name: str) -> None:
    """Writing to a topic nobody declared makes none."""
    options = admin.client_options(kafka_config)
    async with AIOKafkaProducer(request_timeout_ms=1_000, **options) as producer:
        with pytest.raises((UnknownTopicOrPartitionError, TimeoutError)):
            await asyncio.wait_for(producer.send_and_wait(own_name, b"body"), 3)

    created_topics = await ensure_topics(kafka_config, [TopicSpec(name=own_name, partitions=1)])

    assert [own_name] == created_topics


async def test_a_two_megabyte_record_arrives(kafka_config: Config, own_name: str) -> None:
    """Poison must be able to reach a topic, to be dead-lettered with all its bytes."""
    body = bytes(2_000_000)
    await ensure_topics(kafka_config, [TopicSpec(name=own_name, partitions=1)])

    await _write(kafka_config, own_name, body)

    assert [body] == await _read(kafka_config, own_name, 1)
