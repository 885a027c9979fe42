"""Three replicas: one broker may be lost for ever; with two lost, nothing is acknowledged."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from app.config import Config
from app.host.exit import EXIT_UNSAFE
from app.kafka.admin import TopicSpec, admin_client, ensure_topics
from app.kafka.durability import durable_settings
from tests.support.three_brokers import three_brokers
from tests.support.workers import TALLY_TOPICS, committed, emitted_ids, end, publish, start, until

EACH = 200


async def make_topics(config: Config, settings: dict[str, str]) -> None:
    await ensure_topics(
        config,
        [
            TopicSpec(name=name, partitions=count, config=settings)
            for name, count in TALLY_TOPICS.items()
        ],
    )


@pytest.mark.timeout(400)
async def test_acknowledged_events_outlive_a_broker(tmp_path: Path, stack: ExitStack) -> None:
    """One broker dies: the work goes on. A second: nothing is acknowledged. Both back: all done."""

    async def done(count: int) -> bool:
        return await committed(config) >= count and len(set(await emitted_ids(config))) >= count

    config, nodes = stack.enter_context(three_brokers(tmp_path))
    await make_topics(config, durable_settings(config.replication))
    worker = start(config, "tally_app", tmp_path / "log", replication=3)
    stack.callback(end, worker)
    await publish(config, ["x"] * EACH)
    await until(lambda: done(EACH), "the first are done")

    nodes[2].kill()
    await publish(config, ["x"] * EACH, first=EACH)
    await until(lambda: done(2 * EACH), "two brokers do what three did")

    nodes[1].kill()
    alone = AIOKafkaProducer(bootstrap_servers=nodes[0].url, acks="all", request_timeout_ms=5_000)
    with pytest.raises((KafkaError, TimeoutError)):
        async with asyncio.timeout(20), alone:
            await alone.send_and_wait("orders", b"{}", key=b"o1", partition=0)

    for node in nodes[1:]:
        node.start()
    for node in nodes[1:]:
        await asyncio.to_thread(node.wait)
    if worker.poll() is not None:
        # It ends where it can guarantee nothing; whoever runs it starts it again.
        worker = start(config, "tally_app", tmp_path / "log", replication=3)
        stack.callback(end, worker)
    await publish(config, ["x"] * EACH, first=2 * EACH)
    await until(lambda: done(3 * EACH), "all is done")

    assert 3 * EACH == len(set(await emitted_ids(config)))


@pytest.mark.timeout(400)
async def test_a_worker_refuses_topics_that_lose_what_they_acknowledged(
    tmp_path: Path, stack: ExitStack
) -> None:
    """The last line names the topic and the command; a single replica may be chosen."""
    config, _ = stack.enter_context(three_brokers(tmp_path))
    async with admin_client(config) as admin:
        await admin.create_topics(
            [
                NewTopic(name=name, num_partitions=count, replication_factor=3)
                for name, count in TALLY_TOPICS.items()
            ]
        )

    refused = start(config, "tally_app", tmp_path / "refused", replication=3)
    stack.callback(end, refused)
    code = await asyncio.to_thread(refused.wait, 60)
    last = (tmp_path / "refused").read_text().strip().splitlines()[-1]

    assert EXIT_UNSAFE == code
    assert "min.insync.replicas=1, 2 are needed" in last
    assert "kafka-configs.sh --alter" in last
