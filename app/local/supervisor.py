"""`payflow up`: runs the broker, the external systems and one process for each service."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec
from msgspec.structs import replace

from app import registry
from app.config import Config, child_environment, is_local
from app.host.processes import (
    Child,
    claimed_port,
    full_folder,
    restarts_in_a_row,
    url_of,
    wait_seconds,
)
from app.kafka.admin import ensure_topics
from app.kafka.durability import check_durable, forgetful_topics
from app.local.broker_keeper import BrokerKeeper
from app.local.instance_folder import Running, SupervisorError, alone, forget_urls, worker_url
from app.local.instance_secrets import with_secrets
from app.wire.known_secrets import check_secrets

READY_SECONDS_MAX = 120.0
STOP_SECONDS = 6.0
FAILED_WRITE_SECONDS = 2.0
"""How long to wait after a failed write."""
EXTERNAL_SYSTEMS = ("provider", "carrier")

Say = Callable[[str], None]


class Supervisor:
    """Starts all processes, restarts those that end, and stops all."""

    def __init__(self, config: Config, say: Say, services: Sequence[str] = ()) -> None:
        registry.check_declarations()
        names = registry.services()
        unknown = set(services) - set(names)
        if unknown:
            text = f"no such service: {', '.join(sorted(unknown))}; there are {', '.join(names)}"
            raise SupervisorError(text)
        self.config = config
        self.children: dict[str, Child] = {}
        self.held: set[str] = set()
        """Processes that are not restarted for now, since a drill works on them."""
        self._services = services or names
        self._say = say
        self._broker: BrokerKeeper | None = None
        self._began = time.monotonic()
        self._ended: dict[str, str] = {}
        """By process, why it ended last."""
        self._written: tuple[dict[str, int], dict[str, str]] = ({}, {})
        """The processes that `up.json` speaks of, and why they ended."""
        self._trouble = ""
        """What was said last of a disk without space."""
        self._claims: list[Callable[[], None]] = []
        """How to give up the claims on ports."""
        if self.config.worker_port and len(self._services) > 1:
            raise SupervisorError(
                f"{len(self._services)} workers cannot share the port {self.config.worker_port}. "
                "Operator: unset PAYFLOW_WORKER_PORT; each takes a free one, named in "
                f"{self.config.data_path / 'run'}"
            )

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Supervisor"]:
        """Run Payflow in a `with`, and stop it in any case."""
        with alone(self.config.data_path):
            watching: asyncio.Task[None] | None = None
            try:
                await self._start()
                watching = asyncio.create_task(self._watch())
                yield self
            finally:
                if watching is not None:
                    watching.cancel()
                await self.stop()

    async def _start(self) -> None:
        self.config = with_secrets(self.config, self._step)
        check_secrets(self.config)
        if not self.config.broker_url:
            self._broker = BrokerKeeper(self.config, self._step)
            self.config = replace(self.config, broker_url=await self._broker.start())
        self.config = self._with_ports()
        specs = registry.wanted_topics(self.config)
        new_topics = await ensure_topics(self.config, specs)
        await check_durable(self.config, [spec.name for spec in specs])
        # What was made just now keeps what is wanted.
        earlier = [spec for spec in specs if spec.name not in new_topics]
        if forgetful := await forgetful_topics(self.config, earlier):
            self._step(
                f"{len(forgetful)} topics, such as {forgetful[0]}, keep records for less than is "
                "wanted (docs/operators.md, When a service was away)"
            )
        self._step(f"{len(new_topics)} topics made")
        forget_urls(self.config)
        for system in EXTERNAL_SYSTEMS:
            if is_local(getattr(self.config, f"{system}_url")):
                self.add(
                    system, [sys.executable, "-m", f"app.local.simulators.{system}"], self.config
                )
        for service in self._services:
            self.add(service, worker_command(), replace(self.config, service=service))
        self._step(f"{len(self.children)} processes started")
        await asyncio.gather(*(self._ready(service) for service in self._services))
        self._write_up()
        self._step("everyone is ready")

    def add(self, name: str, command: Sequence[str], config: Config) -> Child:
        """Start one more process under `name`, kept alive like all others."""
        log_path = self.config.data_path / "logs" / f"{name}.log"
        child = Child(name, command, child_environment(config), log_path)
        self.children[name] = child
        child.start()
        return child

    def _pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self.children.items()}

    def _step(self, text: str) -> None:
        with suppress(OSError):
            self._say(f"{time.monotonic() - self._began:5.1f} s  {text}")

    async def _ready(self, service: str) -> None:
        limit = time.monotonic() + READY_SECONDS_MAX
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while not await self._is_ready(service, session):
                child = self.children[service]
                if not child.running:
                    raise SupervisorError(
                        f"{service} ended with code {child.exit_code}: {child.reason()} "
                        f"(its log: {child.log_path})"
                    )
                if time.monotonic() > limit:
                    text = f"{service} was not ready in {READY_SECONDS_MAX:.0f} s"
                    raise SupervisorError(f"{text}; see {child.log_path}")
                await asyncio.sleep(0.2)

    async def _is_ready(self, service: str, session: aiohttp.ClientSession) -> bool:
        url = worker_url(self.config, service, self.children[service].pid)
        if not url:
            return False
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{url}/readyz") as response:
                if not response.ok:
                    return False
            if service != "console":
                return True
            async with session.get(f"{self.config.console_url}/readyz") as response:
                return response.ok
        return False

    def _write_up(self) -> None:
        instance = Running(
            broker_url=self.config.broker_url,
            console_url=self.config.console_url,
            provider_url=self.config.provider_url,
            carrier_url=self.config.carrier_url,
            pids={"up": os.getpid(), **self._pids()},
            ended=dict(self._ended),
        )
        path = self.config.data_path / "up.json"
        path.with_suffix(".new").write_bytes(msgspec.json.encode(instance))
        path.with_suffix(".new").replace(path)
        self._written = (self._pids(), dict(self._ended))

    async def _watch(self) -> None:
        """Restart processes that have ended, with backoff for one that ends soon."""
        next_try: dict[str, float] = {}
        while True:
            await asyncio.sleep(0.2)
            for name, child in list(self.children.items()):
                await self._or_later(child.rotate_log)
                if child.running or name in self.held:
                    next_try.pop(name, None)
                elif name not in next_try:
                    next_try[name] = time.monotonic() + self._wait_of(child)
                elif time.monotonic() >= next_try[name] and not self._waits_for_space():
                    next_try.pop(name)
                    await self._or_later(child.start)
            if (self._pids(), self._ended) != self._written and not self._waits_for_space():
                await self._or_later(self._write_up)

    def _wait_of(self, child: Child) -> float:
        """Return how many seconds to wait before `child`, which has ended, is started again."""
        before = restarts_in_a_row(child.in_a_row, time.monotonic() - child.started_at)
        wait = wait_seconds(before)
        child.in_a_row = before + 1
        # What a process says on a full disk is lost, when its log lies there too.
        self._ended[child.name] = full_folder(self.config.data_path) or child.reason()
        self._step(f"{child.name} ended with code {child.exit_code}, again in {wait:.1f} s")
        self._step(f"{child.name}: {self._ended[child.name]}")
        return wait

    def _waits_for_space(self) -> bool:
        """Return whether the folder is full; say so once."""
        text = full_folder(self.config.data_path)
        if text:
            text = f"{text}; what has ended is started again then"
        self._say_once(text)
        return bool(text)

    def _say_once(self, text: str) -> None:
        if text and text != self._trouble:
            self._step(text)
        self._trouble = text

    async def _or_later(self, what: Callable[[], None]) -> None:
        """Do `what`, and retry on a full disk, which must not end the supervisor."""
        try:
            what()
        except OSError as error:
            self._say_once(f"{error}. Operator: is the disk full? It is tried again")
            await asyncio.sleep(FAILED_WRITE_SECONDS)

    async def stop(self) -> None:
        """Stop the services, then the external systems, then the broker, each in limited time."""
        systems = [child for name, child in self.children.items() if name in EXTERNAL_SYSTEMS]
        services = [child for name, child in self.children.items() if name not in EXTERNAL_SYSTEMS]
        for group in (services, systems):
            for child in group:
                child.terminate()
            for name in await _ended(group):
                self._step(f"{name} did not stop in {STOP_SECONDS:.0f} s and was killed")
        if self._broker is not None:
            await self._broker.stop()
        while self._claims:
            self._claims.pop()()
        (self.config.data_path / "up.json").unlink(missing_ok=True)

    def _with_ports(self) -> Config:
        """Return the configuration with free ports, and the addresses that follow from them."""
        config = self.config
        changes: dict[str, Any] = {}
        for name in ("console", *EXTERNAL_SYSTEMS):
            url = getattr(config, f"{name}_url")
            if is_local(url):
                port, give_up = claimed_port(config.host, getattr(config, f"{name}_port"))
                self._claims.append(give_up)
                changes |= {f"{name}_port": port, f"{name}_url": url_of(config.host, port)}
        return replace(config, **changes)


def worker_command() -> list[str]:
    """Return the command of a worker; PAYFLOW_SERVICE says of which service."""
    faust = [sys.executable, "-m", "faust", "-A", "app.main", "-L", "uvloop"]
    return [*faust, "worker", "--without-web", "-l", "warn"]


async def _ended(children: Sequence[Child]) -> list[str]:
    """Wait until `children` have ended; kill those that do not, and return their names."""
    limit = time.monotonic() + STOP_SECONDS
    while any(child.running for child in children) and time.monotonic() < limit:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    late = [child for child in children if child.running]
    for child in late:
        child.kill()
    return [child.name for child in late]
