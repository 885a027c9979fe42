"""Liveness and readiness of the console, and the verdict of `verify`."""

import asyncio
import contextlib
import sys
from typing import Literal, TypedDict

import msgspec
from aiohttp import web

from app.console.api.context import CONTEXT, unavailable
from app.console.api.invariants import PlainVerdict
from app.console.api.problems import JsonResponse, json_response

VERIFY_SECONDS_MAX = 300
VERDICT: web.AppKey[dict[str, asyncio.Task[PlainVerdict]]] = web.AppKey("verdict")
EXIT_UNKNOWN = 2


class Alive(TypedDict):
    """The process answers."""

    status: Literal["alive"]


class LiveWorker(TypedDict):
    """A worker that has answered lately."""

    service: str
    url: str
    pid: int
    ready: bool


class Readiness(TypedDict):
    """Whether the console takes part, why, and the workers."""

    ready: bool
    reason: str
    workers: list[LiveWorker]


async def livez(_request: web.Request) -> JsonResponse[Alive]:
    """Return 200: the process answers."""
    return json_response({"status": "alive"})


async def readyz(request: web.Request) -> JsonResponse[Readiness]:
    """Return whether the console is ready, and the live workers."""
    context = request.app[CONTEXT]
    ready, reason = context.queries.ready()
    workers: list[LiveWorker] = [
        {"service": worker.service, "url": worker.url, "pid": worker.pid, "ready": worker.ready}
        for worker in context.directory.workers()
    ]
    body: Readiness = {"ready": ready, "reason": reason, "workers": workers}
    return json_response(body, 200 if ready else 503)


async def verdict(request: web.Request) -> JsonResponse[PlainVerdict]:
    """Return the verdict of `payflow verify`; requests while it runs share one run."""
    running = request.app[VERDICT]
    task = running.get("task")
    if task is None or task.done():
        task = running["task"] = asyncio.create_task(_verify(request.app[CONTEXT].config.to_env()))
    return json_response(await asyncio.shield(task))


async def _verify(variables: dict[str, str]) -> PlainVerdict:
    # A process of its own: reading every topic would block the event loop.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.operations.verification.auditor",
        "--json",
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), VERIFY_SECONDS_MAX)
    except TimeoutError as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise unavailable("verify took too long") from error
    if process.returncode == EXIT_UNKNOWN or not out:
        raise unavailable(f"verify could not read: {err.decode(errors='replace')[-300:]}")
    return msgspec.json.decode(out)
