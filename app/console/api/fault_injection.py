"""Faults of the external systems, and workers to kill: only with `fault_injection`, for demos.

A fault ends by itself after a while, so that an abandoned demonstration does not go on failing.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable
from typing import Annotated, TypedDict

import msgspec
import psutil
import structlog
from aiohttp import web
from msgspec import Meta

from app.config import Config
from app.console.api.access import operator_of
from app.console.api.audited_actions import audited
from app.console.api.context import CONTEXT, unavailable
from app.console.api.operator_actions import Why
from app.console.api.problems import JsonResponse, Problem, json_response, read_body
from app.host.parameters import path_name
from app.local import fault_switches
from app.local.fault_switches import FaultError
from app.local.instance_folder import SupervisorError, running
from app.local.simulators.faults import CarrierFaults, ProviderFaults
from workflows.audit.fault_injection import FaultsSwitched, ProcessKilled

SHAPES: dict[str, type[msgspec.Struct]] = {"provider": ProviderFaults, "carrier": CarrierFaults}
NO_FAULT = frozenset(
    {
        "seed",
        "timeout_seconds",
        "slow_seconds",
        "webhook_late_seconds",
        "webhook_shuffled_seconds",
        "refund_seconds",
        "processing_seconds",
        "dispute_seconds",
        "deliver_seconds",
    }
)
"""Fields of a fault that are not rates."""
MINUTES = 10

log = structlog.get_logger(__name__)


class FaultsAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/faults/{system}`."""

    faults: dict[str, float]
    reason: Why
    minutes: Annotated[int, Meta(ge=1, le=120)] = MINUTES


class WhyAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an action that needs only a reason."""

    reason: Why


class ProcessFacts(TypedDict):
    """One process of this instance."""

    name: str
    pid: int
    since_ms: int
    """When it was started; 0: it has ended, and is started again."""
    ended: str
    """Why it ended last: its exit code and its last line; empty: it has not."""


class FaultySystem(TypedDict):
    """The faults of an external system, and those in force; `trouble`: why they are not known."""

    faults: dict[str, object]
    wrong: dict[str, object]
    trouble: str
    ends_ms: int | None


class FaultsInForce(TypedDict):
    """Whether faults may be injected, those in force by system, and the processes."""

    fault_injection: bool
    systems: dict[str, FaultySystem]
    processes: list[ProcessFacts]


class FaultInjection:
    """The faults that this console has set, and when they end."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}

    def end_after(self, system: str, seconds: float) -> None:
        """End the faults of `system` in so many seconds, in place of an earlier end."""
        self.forget(system)
        task = asyncio.create_task(self._end(system, seconds))
        self._timers[system] = (time.time() + seconds, task)

    def forget(self, system: str) -> None:
        """Cancel all timers that would end faults."""
        timer = self._timers.pop(system, None)
        if timer is not None:
            timer[1].cancel()

    def ends_ms(self, system: str) -> int | None:
        """Return when the faults of `system` end by themselves (ms); None where they do not."""
        timer = self._timers.get(system)
        return round(timer[0] * 1_000) if timer else None

    async def _end(self, system: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await fault_switches.clear(self._config, system)
        except FaultError as error:
            log.warning("faults did not end", system=system, error=str(error))
        self._timers.pop(system, None)

    def processes(self) -> list[ProcessFacts]:
        """Return the processes of this instance by name; none without a supervisor."""
        try:
            instance = running(self._config)
        except SupervisorError:
            return []
        pids, ended = instance.pids, instance.ended
        return [
            ProcessFacts(
                name=name,
                pid=pid,
                since_ms=_since_ms(pid, pids["up"]),
                ended=ended.get(name, ""),
            )
            for name, pid in sorted(pids.items())
            if name != "up"
        ]


def _since_ms(pid: int, parent: int) -> int:
    """Return when the child `pid` of `parent` was started (ms); 0: there is none."""
    try:
        process = psutil.Process(pid)
        # The pid of a process that ended may belong to another process by now.
        runs = process.ppid() == parent and process.status() != psutil.STATUS_ZOMBIE
        return round(process.create_time() * 1_000) if runs else 0
    except psutil.Error:
        return 0


FAULT_INJECTION: web.AppKey[FaultInjection] = web.AppKey("fault_injection")


def add_fault_injection(app: web.Application) -> None:
    """Let `app` inject faults, where its configuration allows it."""
    app[FAULT_INJECTION] = FaultInjection(app[CONTEXT].config)
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    for system in SHAPES:
        app[FAULT_INJECTION].forget(system)


async def faults_in_force(request: web.Request) -> FaultsInForce:
    """Return whether faults may be injected, the faults in force by system, and the processes."""
    config, fault_injection = request.app[CONTEXT].config, request.app[FAULT_INJECTION]
    if not config.fault_injection:
        return {"fault_injection": False, "systems": {}, "processes": []}
    systems: dict[str, FaultySystem] = {}
    for system in SHAPES:
        try:
            faults, trouble = await fault_switches.get(config, system), ""
        except FaultError as error:
            faults, trouble = {}, str(error)
        wrong = {n: v for n, v in faults.items() if v and n not in NO_FAULT}
        systems[system] = {
            "faults": faults,
            "wrong": wrong,
            "trouble": trouble,
            "ends_ms": fault_injection.ends_ms(system) if wrong else None,
        }
    processes = await asyncio.to_thread(fault_injection.processes)
    return {"fault_injection": True, "systems": systems, "processes": processes}


async def show(request: web.Request) -> JsonResponse[FaultsInForce]:
    """Return the faults in force, and the processes."""
    return json_response(await faults_in_force(request))


def _enabled(request: web.Request) -> FaultInjection:
    if not request.app[CONTEXT].config.fault_injection:
        detail = (
            "this instance has no fault injection: faults are for demonstrations, see payflow demo"
        )
        raise Problem(403, "Forbidden", detail)
    return request.app[FAULT_INJECTION]


def _check_system(system: str) -> None:
    """Raise Problem 404 where no external system has that name."""
    if system not in SHAPES:
        detail = f"external systems are {', '.join(SHAPES)}"
        raise Problem(404, "Not Found", detail, field="system")


async def switch(request: web.Request) -> JsonResponse[FaultsInForce]:
    """Inject faults into a system for some minutes; other faults do not change."""
    system, body, fault_injection = (
        path_name(request, "system"),
        await read_body(request, FaultsAsked),
        _enabled(request),
    )
    _check_system(system)
    config = request.app[CONTEXT].config
    try:
        msgspec.convert(body.faults, SHAPES[system])
    except msgspec.ValidationError as error:
        raise Problem(400, "Bad Request", str(error), field="faults") from error
    who = operator_of(request).name
    message = FaultsSwitched(about=system, who=who, why=body.reason, faults=body.faults)
    async with audited(request, message):
        await _at_system(fault_switches.put(config, system, body.faults))
    fault_injection.end_after(system, body.minutes * 60.0)
    return json_response(await faults_in_force(request), 202)


async def clear(request: web.Request) -> JsonResponse[FaultsInForce]:
    """End all faults of an external system."""
    system, body, fault_injection = (
        path_name(request, "system"),
        await read_body(request, WhyAsked),
        _enabled(request),
    )
    _check_system(system)
    config = request.app[CONTEXT].config
    who = operator_of(request).name
    async with audited(request, FaultsSwitched(about=system, who=who, why=body.reason, faults={})):
        await _at_system(fault_switches.clear(config, system))
    fault_injection.forget(system)
    return json_response(await faults_in_force(request), 202)


async def kill(request: web.Request) -> JsonResponse[ProcessFacts]:
    """Kill a process of this instance, as a crash would; its supervisor starts it again."""
    name, body, fault_injection = (
        path_name(request, "name"),
        await read_body(request, WhyAsked),
        _enabled(request),
    )
    process = next(
        (
            each
            for each in await asyncio.to_thread(fault_injection.processes)
            if each["name"] == name and each["since_ms"]
        ),
        None,
    )
    if process is None:
        raise Problem(404, "Not Found", f"no process {name!r} runs here", field="name")
    who = operator_of(request).name
    action = ProcessKilled(about=name, who=who, why=body.reason, pid=process["pid"])
    async with audited(request, action):
        try:
            os.kill(process["pid"], signal.SIGKILL)
        except ProcessLookupError as error:
            raise Problem(409, "Conflict", f"{name} has just ended by itself") from error
    return json_response(process, 202)


async def _at_system(asking: Awaitable[object]) -> None:
    try:
        await asking
    except FaultError as error:
        raise unavailable(str(error)) from error
