"""A demo of its own, run as a newcomer runs it, and what tests ask of it beside the pages."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import requests
from aiokafka import AIOKafkaProducer

ROOT = Path(__file__).parents[2]
PAYFLOW = [sys.executable, "-c", "from app.cli.main import main; main()"]
ORDERS_PER_SECOND = "1"
OPERATOR = "olga"
Found = TypeVar("Found")


class Demo(msgspec.Struct, frozen=True):
    """An instance that runs: where it is, and the token of an approver."""

    folder: Path
    url: str
    broker_url: str
    token: str
    process: subprocess.Popen[bytes]

    def ask(self, path: str) -> Any:
        """Return the JSON that the console has at `path`."""
        return requests.get(self.url + path, timeout=90).json()

    def client_key(self) -> str:
        """Return the key of the demo's own client."""
        return (self.folder / "demo" / "client.key").read_text().strip()

    def pids(self) -> dict[str, int]:
        """Return the processes of Payflow by name, as its supervisor says."""
        return msgspec.json.decode((self.folder / "demo" / "up.json").read_bytes())["pids"]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of an instance of its own in `folder`."""
    names = ("BROKER", "CONSOLE", "PROVIDER", "CARRIER")
    ports = {f"PAYFLOW_{name}_PORT": "0" for name in names}
    return os.environ | ports | {"PAYFLOW_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}


def wait_for(
    condition: Callable[[], Found], what: str, seconds: float = 90, every: float = 0.3
) -> Found:
    """Return what `condition` returns once it is something."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        answer = condition()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"not in {seconds} s: {what}")


@contextmanager
def running(folder: Path) -> Iterator[Demo]:
    """Run a demo on `folder` for the length of a `with`."""
    log = folder / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PAYFLOW, "demo", "--rate", ORDERS_PER_SECOND],
            env=environment(folder),
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(lambda: "first order completed" in log.read_text(), "a completed order", 120)
        up = msgspec.json.decode((folder / "demo" / "up.json").read_bytes())
        yield Demo(folder, up["console_url"], up["broker_url"], _operator(folder), process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _operator(folder: Path) -> str:
    done = subprocess.run(
        [*PAYFLOW, "operators", "add", OPERATOR, "approver", "--reason", "to test"],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip().partition(":")[2]


def put(demo: Demo, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Put a record onto `topic` as anybody could who reaches the broker."""

    async def producing() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=demo.broker_url)
        await producer.start()
        await producer.send_and_wait(topic, value, key=key, headers=headers)
        await producer.stop()

    # A loop of Playwright's runs in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, producing()).result(60)
