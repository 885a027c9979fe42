"""Three brokers of one cluster, each a process that a test can kill and start again."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.config import Config
from app.local import broker, broker_files, jars
from app.local.broker_files import Ports, any_free_port
from tests.support.broker import local_config

NODES = (1, 2, 3)
READY_SECONDS_MAX = 90.0


class Node:
    """One broker; `url` stays the same over all its starts."""

    def __init__(self, folder: Path, number: int, ports: Ports, voters: str) -> None:
        self.url = f"127.0.0.1:{ports.broker}"
        self._folder = folder / f"node{number}"
        self._folder.mkdir(parents=True)
        broker_files.write(self._folder, ports, ports.broker)
        settings = self._folder / broker_files.PROPERTIES
        own = {
            "node.id": number,
            "controller.quorum.voters": voters,
            "offsets.topic.replication.factor": 3,
            "transaction.state.log.replication.factor": 3,
            "transaction.state.log.min.isr": 2,
            # What only the settings of a topic ask for, and not those of its broker.
            "min.insync.replicas": 1,
        }
        with settings.open("a", encoding="ascii") as more:
            more.writelines(f"{name}={value}\n" for name, value in own.items())
        (self._folder / "cluster.id").write_text("MkU3OEVBNTcwNTJENDM2Qk")
        flags = broker.java_flags(local_config(folder), self._folder)
        classpath = ":".join(map(str, jars.fetch()))
        self._command = [broker.java_path(), *flags, "-cp", classpath]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting: alone it is not ready."""
        (self._folder / broker.TEMPORARY).mkdir(exist_ok=True)
        broker.format_storage(self._folder, self._command, {})
        with broker_files.open_log(self._folder) as out:
            self._process = subprocess.Popen(
                [*self._command, broker.MAIN, str(self._folder / broker_files.PROPERTIES)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Wait until it is ready."""
        until = time.monotonic() + READY_SECONDS_MAX
        while broker.READY not in broker_files.said_since_start(self._folder / broker_files.LOG):
            assert time.monotonic() < until, f"broker {self.url} is not ready"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def three_brokers(folder: Path) -> Iterator[tuple[Config, list[Node]]]:
    """Run three brokers; yield a configuration that names all of them, with three replicas."""
    ports = [Ports(wanted=0, broker=any_free_port(), controller=any_free_port()) for _ in NODES]
    voters = ",".join(
        f"{number}@127.0.0.1:{own.controller}" for number, own in zip(NODES, ports, strict=True)
    )
    nodes = [Node(folder, number, own, voters) for number, own in zip(NODES, ports, strict=True)]
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait()
        urls = ",".join(node.url for node in nodes)
        yield local_config(folder / "own", broker_url=urls, replication=3), nodes
    finally:
        for node in nodes:
            node.kill()
