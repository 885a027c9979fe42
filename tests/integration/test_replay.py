"""Rows are made again from topics, and a row that somebody changed is found."""

import asyncio
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from app.chaos.load import Load
from app.config import Config
from app.delivery.row import Row, encode_row
from app.entrypoints.requests import client_scopes
from app.kafka.producer import partition_of
from app.local.instance_folder import client_key
from app.local.supervisor import Supervisor
from app.operations.replay.run import ReplayError, ReplayOptions, ReplayResult, replay
from app.operations.verification.auditor import Auditor
from app.registry import services
from app.wire.topics import changelog_topic
from tables.payment import payments
from tests.support.workers import until

ORDERS_PER_SECOND = 6.0
PLAY_SECONDS = 8


async def play(config: Config) -> str:
    """Place orders until some have ended, wait until all have; return the id of one."""
    async with aiohttp.ClientSession() as session:
        load = Load(5, config.console_url, session, client_key(config, client_scopes()))
        await load.stock_up(lambda: asyncio.sleep(2))
        playing = asyncio.create_task(load.play(ORDERS_PER_SECOND))
        await asyncio.sleep(PLAY_SECONDS)
        playing.cancel()
        await load.join()
        auditor = Auditor(config)

        async def quiet() -> bool:
            verdict = await auditor.verdict()
            return not verdict.unsettled

        await until(quiet, "every order has ended", 90)
        return load.latest(1)[0]


async def again(config: Config, service: str, folder: Path) -> ReplayResult:
    return await replay(config, ReplayOptions(service=service, sandbox=folder / service), _say)


def _say(_line: str) -> None:
    pass


@pytest.mark.timeout(600)
async def test_every_row_comes_out_the_same_and_a_changed_one_is_named(tmp_path: Path) -> None:
    """All services; then one payment row says what no event has said."""
    own = Config(data_dir=str(tmp_path / "instance"), broker_port=0, console_port=0)
    async with Supervisor(own, _say).up() as instance:
        order_id = await play(instance.config)
        replays = [await again(instance.config, service, tmp_path) for service in services()]
        tables = {table.table: table for each in replays for table in each.tables}

        assert {} == {name: table.differences for name, table in tables.items() if table.different}
        assert set() == {name for name, table in tables.items() if not table.equal}
        assert {"order", "payment", "stock", "analytics", "journal"} <= set(tables)
        assert {"provider", "carrier", "messenger"} == {
            agent for each in replays for agent in each.left_out
        }

        await _tamper(instance.config, order_id)
        changed = (await again(instance.config, "payment", tmp_path)).tables[0]
        assert 1 == changed.different
        assert [order_id] == [each.key for each in changed.differences]
        with pytest.raises(ReplayError, match="not a sandbox and not empty"):
            await replay(instance.config, ReplayOptions(service="order", sandbox=tmp_path), _say)
        with pytest.raises(ReplayError, match="no such service"):
            await again(instance.config, "nobody", tmp_path)


async def _tamper(config: Config, order_id: str) -> None:
    """Put a row of the payment table that no event has made."""
    producer = AIOKafkaProducer(bootstrap_servers=config.broker_url)
    await producer.start()
    key = order_id.encode()
    await producer.send_and_wait(
        changelog_topic(payments),
        encode_row(Row(state=msgspec.structs.replace(payments.initial))),
        key,
        partition_of(key, config.partitions),
    )
    await producer.stop()
