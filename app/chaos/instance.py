"""The instance of a drill: its workers, and its broker behind a proxy."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from app.chaos.proxy import Proxy
from app.chaos.size import DrillSize
from app.config import Config, child_environment
from app.host.processes import Child, free_port
from app.local import broker
from app.local.instance_folder import worker_url
from app.local.supervisor import EXTERNAL_SYSTEMS, Supervisor, worker_command
from workflows.shared.errors import PayflowError

WAIT_SECONDS_MAX = 90.0
CATCH_UP_SECONDS_MAX = 600.0
CHECK_SECONDS = 0.05

Say = Callable[[str], None]


class DrillError(PayflowError):
    """The drill itself could not be carried out; the message says what was waited for."""


class Site:
    """One running instance, its broker and the proxy in front of it."""

    def __init__(
        self, supervisor: Supervisor, proxy: Proxy, kafka: broker.Broker, size: DrillSize
    ) -> None:
        self.supervisor = supervisor
        self.proxy = proxy
        self.broker = kafka
        self.size = size
        self.stops: list[tuple[str, float, int | None]] = []
        """Every clean stop: process, seconds, exit code."""
        self.counts: Counter[str] = Counter()
        """What faults have written, by kind."""
        self._seconds: dict[str, tuple[Child, Config]] = {}

    @property
    def config(self) -> Config:
        """Return the configuration of Payflow."""
        return self.supervisor.config

    @property
    def services(self) -> list[str]:
        """Return every service."""
        return [name for name in self.supervisor.children if name not in EXTERNAL_SYSTEMS]

    def child(self, name: str) -> Child:
        """Return the process of a service or an external system."""
        return self.supervisor.children[name]

    def pids(self) -> dict[str, int]:
        """Return the process of each service and external system."""
        return {name: child.pid for name, child in self.supervisor.children.items()}

    def check_pids(self, before: dict[str, int], beside: str) -> None:
        """Raise DrillError naming each process that has ended since `before`."""
        now = self.pids()
        if ended := sorted(name for name, pid in before.items() if now[name] != pid):
            raise DrillError(f"ended beside {beside}: {', '.join(ended)}")

    def workers(self) -> list[tuple[str, int, str]]:
        """Return service, pid and address of every worker that answers."""
        processes = [(name, self.child(name).pid, self.config) for name in self.services]
        processes += [(name, child.pid, own) for name, (child, own) in self._seconds.items()]
        urls = [(name, pid, worker_url(config, name, pid)) for name, pid, config in processes]
        return [worker for worker in urls if worker[2]]

    async def until(
        self, condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS_MAX
    ) -> None:
        """Wait for `condition` to be true; raises DrillError naming `what` at the time limit."""
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                raise DrillError(f"not within {seconds:.0f} s: {what}")
            await asyncio.sleep(CHECK_SECONDS)

    async def until_async(
        self,
        condition: Callable[[], Awaitable[object]],
        what: str,
        seconds: float = CATCH_UP_SECONDS_MAX,
    ) -> None:
        """Wait for the async `condition` to be true; raises DrillError naming `what` in the end."""
        limit = time.monotonic() + seconds
        while not await condition():
            if time.monotonic() > limit:
                raise DrillError(f"not within {seconds:.0f} s: {what}")
            await asyncio.sleep(1)

    async def stop(self, name: str, child: Child) -> None:
        """Stop `child`, and note how long it took and how it ended."""
        began, pid = time.monotonic(), child.pid
        process = child.process
        child.terminate()
        await self.until(
            lambda: process is None or process.poll() is not None, f"{name} {pid} ends"
        )
        self.stops.append(
            (name, time.monotonic() - began, process.poll() if process is not None else None)
        )

    async def restart(self, service: str, once: dict[str, str]) -> None:
        """Stop the worker of `service`; it is restarted, once with `once` in its environment."""
        child = self.child(service)
        child.once = once
        restarts = child.restarts
        await self.stop(service, child)
        await self.until(lambda: child.restarts > restarts, f"{service} is started again")

    @asynccontextmanager
    async def second(self, service: str) -> AsyncIterator[Child]:
        """Run one more worker of `service`, with a folder of its own, for a `with`."""
        folder = self.config.data_path / f"second-{service}"
        own = replace(self.config, service=service, data_dir=str(folder))
        child = spare(service, own, self.config.data_path)
        child.start()
        self._seconds[service] = (child, own)
        try:
            await self.until(lambda: worker_url(own, service, child.pid), f"a second {service}")
            yield child
            await self.stop(f"{service} (second)", child)
        finally:
            child.kill()
            del self._seconds[service]

    def folder(self, service: str) -> Path:
        """Return the folder of the tables of `service`'s worker."""
        return self.config.data_path / service


def spare(service: str, config: Config, folder: Path) -> Child:
    """Return a worker that is not restarted, its log in Payflow's folder."""
    log_path = second_log(folder, service)
    return Child(f"second {service}", worker_command(), child_environment(config), log_path)


def second_log(folder: Path, service: str) -> Path:
    """Return where a second worker of `service` writes its log, in `folder` of Payflow."""
    return folder / "logs" / f"second-{service}.log"


@asynccontextmanager
async def open_site(config: Config, size: DrillSize, say: Say) -> AsyncIterator[Site]:
    """Run an instance on `config.data_dir` whose broker is reached through a proxy."""
    port = free_port(config.host, 0)
    kafka = await asyncio.to_thread(broker.start, config, say, port)
    proxy = Proxy(config, port, int(kafka.url.rpartition(":")[2]))
    site: Site | None = None
    try:
        await proxy.open()
        supervisor = Supervisor(replace(config, broker_url=proxy.url), say)
        async with supervisor.up():
            site = Site(supervisor, proxy, kafka, size)
            yield site
    finally:
        proxy.shut()
        await asyncio.to_thread((site.broker if site else kafka).stop)
