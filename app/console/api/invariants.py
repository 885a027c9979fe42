"""Invariants, verified repeatedly while a client reads: balances that must be zero.

A process of its own verifies at the lowest priority, so that workers go on undisturbed. It starts
with the first request and ends after a while without one.
"""

import asyncio
import contextlib
import sys
import time
from typing import Any, TypedDict, cast

import msgspec
from aiohttp import web

from app.config import Config
from app.console.api.context import CONTEXT, unavailable
from app.console.api.problems import JsonResponse, json_response
from app.registry import load_workflows
from workflows.shared.invariants import Check

IDLE_SECONDS_MAX = 60.0
FIRST_SECONDS_MAX = 60.0
"""How long the first verification may take: it reads every topic from the beginning."""
LINE_BYTES_MAX = 8 << 20


class PlainVerdict(TypedDict):
    """The verdict of `verify`; workflows add their figures by name."""

    verify_ok: bool
    at_ms: int
    dead_letters: dict[str, int]
    dead_letter_causes: dict[str, int]
    events_read: int
    events_repeated: int
    seen: dict[str, str]
    checks: list[Check]


class LatestVerdict(PlainVerdict):
    """The latest verdict, its age, and why a later one failed."""

    age_seconds: float
    trouble: str
    balances: dict[str, int]


class Invariants:
    """The latest verdict of the verifying process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._task: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self._received = asyncio.Event()
        self._latest: dict[str, Any] | None = None
        self._trouble = ""
        """Why the last verification failed; the verdict before it stays valid, and ages."""
        self._received_at = 0.0

    async def latest(self) -> LatestVerdict:
        """Return the latest verdict and its age. Raises Problem when there is none in time."""
        self._asked_at = time.monotonic()
        self.watch()
        try:
            async with asyncio.timeout(FIRST_SECONDS_MAX):
                await self._received.wait()
        except TimeoutError as error:
            raise unavailable("the books are still being read; ask again") from error
        if self._latest is None:
            raise unavailable(f"the books cannot be read: {self._trouble}")
        facts = {
            "age_seconds": round(time.monotonic() - self._received_at, 1),
            "trouble": self._trouble,
            "balances": balances(self._latest),
        }
        return cast("LatestVerdict", {**facts, **self._latest})

    def watch(self) -> None:
        """Start the verifying process, unless it runs."""
        if self._task is None or self._task.done():
            self._received.clear()
            self._task = asyncio.create_task(self._check_once())

    def receive(self, line: bytes) -> None:
        """Take the output of the verifying process: a verdict, an error, or its end."""
        output = (
            msgspec.json.decode(line)
            if line
            else {"cannot_look": "the verifying process has ended"}
        )
        self._trouble = output.get("cannot_look", "")
        if not self._trouble:
            self._latest, self._received_at = output, time.monotonic()
        self._received.set()

    async def close(self) -> None:
        """Stop the verifying process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _check_once(self) -> None:
        own = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
        process = await asyncio.create_subprocess_exec(
            *(
                "nice",
                "-n",
                "10",
                sys.executable,
                "-m",
                "app.operations.verification.auditor",
                "--follow",
            ),
            env={**own, **self._config.to_env()},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES_MAX,
        )
        assert process.stdout is not None
        try:
            while time.monotonic() < self._asked_at + IDLE_SECONDS_MAX:
                line = await process.stdout.readline()
                self.receive(line)
                if not line:
                    return
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def balances(verdict: dict[str, Any]) -> dict[str, int]:
    """Return the balances that must be zero: money in minor units, stock in units, orders."""
    names = [name for each in load_workflows().values() for name in each.invariants.balances]
    return {
        **{name: verdict[name] for name in names},
        "checks_broken": sum(not check["ok"] for check in verdict["checks"]),
    }


INVARIANTS: web.AppKey[Invariants] = web.AppKey("invariants")


def add_invariants(app: web.Application) -> None:
    """Let `app` verify its invariants."""
    app[INVARIANTS] = Invariants(app[CONTEXT].config)
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    await app[INVARIANTS].close()


async def show(request: web.Request) -> JsonResponse[LatestVerdict]:
    """Return the balances that must be zero, with the checks behind them and their age."""
    return json_response(await request.app[INVARIANTS].latest())
