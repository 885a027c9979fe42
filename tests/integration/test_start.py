"""A worker starts although no broker answers yet, and goes on when one does."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

import msgspec

from app.chaos.proxy import Proxy
from app.config import Config
from app.host.processes import free_port
from tests.support.workers import committed, end, publish, start, until

EVENTS = 100


async def test_a_worker_waits_for_a_broker_that_comes_later(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """It works as soon as it can reach a broker, and is not started anew for that."""
    host, port = instance.broker_url.split(":")
    proxy = Proxy(instance, free_port(host, 0), int(port))
    stack.callback(proxy.shut)
    log = tmp_path / "worker.log"
    await publish(instance, [""] * EVENTS)
    worker = start(msgspec.structs.replace(instance, broker_url=proxy.url), "tally_app", log)
    stack.callback(end, worker)

    async def is_refused() -> bool:
        return log.exists() and log.read_text().count("Unable connect") > 1

    async def has_worked() -> bool:
        return await committed(instance) == EVENTS

    await until(is_refused, "the worker has asked for a broker twice")
    await proxy.open()
    await until(has_worked, "the worker is at work")

    assert worker.poll() is None, log.read_text()


async def test_a_worker_that_waits_for_a_broker_stops_when_it_is_asked_to(
    instance: Config, stack: ExitStack, tmp_path: Path
) -> None:
    """Nothing was begun, so the end is a clean one."""
    host = instance.broker_url.split(":")[0]
    away = msgspec.structs.replace(instance, broker_url=f"{host}:{free_port(host, 0)}")
    log = tmp_path / "worker.log"
    worker = start(away, "tally_app", log)
    stack.callback(end, worker)

    async def is_refused() -> bool:
        return log.exists() and "Unable connect" in log.read_text()

    await until(is_refused, "the worker has asked for a broker")
    worker.send_signal(signal.SIGTERM)

    assert 0 == await asyncio.to_thread(worker.wait, 30), log.read_text()
