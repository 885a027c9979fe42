"""A clean stop is whole: what was begun is committed, what was not comes again."""

import asyncio
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from app.config import Config
from tests.support.workers import (
    committed,
    emitted_ids,
    end,
    publish,
    start,
    until,
)

EVENTS = 20_000
SHARING_OUT = ("PreparingRebalance", "CompletingRebalance")
TRIES = 4


async def stop(worker: subprocess.Popen[bytes]) -> int:
    """Ask `worker` to end; return its exit code. Raises TimeoutExpired when it hangs."""
    worker.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(worker.wait, 60)


@pytest.mark.parametrize("run", range(3))
async def test_a_stop_under_load_commits_what_was_begun(
    run: int, instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Stopped in the middle of the work: nothing that was answered is answered again."""
    log = tmp_path / "worker.log"
    await publish(instance, [""] * EVENTS)
    worker = start(instance, "tally_app", log)
    stack.callback(end, worker)

    async def is_at_work() -> bool:
        return await committed(instance) > 1_000 * run

    await until(is_at_work, "the worker is at work")

    assert 0 == await stop(worker), log.read_text()
    emitted = await emitted_ids(instance)
    assert len(set(emitted)) == await committed(instance)
    assert len(set(emitted)) == len(emitted) < EVENTS


async def test_a_stop_while_partitions_are_shared_out_repeats_nothing(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """A second worker joins, and the first is stopped at that moment; in turns, under load."""
    names = ("a", "b")
    configs = [
        msgspec.structs.replace(instance, data_dir=f"{instance.data_dir}/{at}") for at in names
    ]
    logs = [tmp_path / f"{at}.log" for at in names]
    await publish(instance, [""] * EVENTS)
    leaver = start(configs[0], "tally_app", logs[0])
    stack.callback(end, leaver)
    stops: list[int] = []
    for turn in range(1, TRIES + 1):
        await until(lambda: is_in(instance, "Stable"), "the worker is at work")
        joiner = start(configs[turn % 2], "tally_app", logs[turn % 2])
        stack.callback(end, joiner)
        await until(lambda: is_in(instance, *SHARING_OUT), "partitions are shared out")
        stops.append(await stop(leaver))
        leaver = joiner
        await publish(instance, [""] * EVENTS, first=turn * EVENTS)

    async def done() -> bool:
        return await committed(instance) >= EVENTS * (TRIES + 1)

    await until(done, "everything is done")
    assert [0] * TRIES == stops, "\n".join(log.read_text() for log in logs)
    emitted = await emitted_ids(instance)
    assert EVENTS * (TRIES + 1) == len(set(emitted)) == len(emitted)


async def is_in(config: Config, *states: str) -> bool:
    """Return whether the group of the test agent is in one of `states`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=config.broker_url)
    await admin.start()
    try:
        [described] = await admin.describe_consumer_groups(["payflow-test"])
    except KafkaError:
        # The broker has to open its book of groups first.
        return False
    finally:
        await admin.close()
    return described.groups[0][2] in states
