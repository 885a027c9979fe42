"""Why a step of a drill failed: the condition not met, the last figures, log lines."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import psutil

from app.chaos.instance import DrillError, Site, second_log
from app.chaos.lag import waiting_by_service
from app.chaos.plan import Step
from app.operations.verification.auditor import CANNOT_READ
from app.operations.verification.verdict import Verdict
from workflows.shared.errors import PayflowError

STEP_ERRORS = (PayflowError, *CANNOT_READ, aiohttp.ClientError, psutil.Error)
"""Errors that end a step and not the drill."""
LAG_SECONDS_MAX = 10.0
LINE_CHARACTERS_MAX = 300
SHOWN_MAX = 10
PROCESSES = {
    "broker": "broker",
    "provider": "provider",
    "webhooks": "provider",
    "carrier": "carrier",
}
"""The process that a fault of an external system or the broker concerns, by its first word."""


class NotMoving(DrillError):
    """Services that make no progress any more."""

    def __init__(self, services: Sequence[str], seconds: float) -> None:
        super().__init__(f"not within {seconds:.0f} s: {', '.join(services)} apply another event")
        self.services = tuple(services)


def label(step: Step) -> str:
    """Return the fault, its service and its detail."""
    target = f" of {step.target}" if step.target else ""
    return f"{step.fault}{target}" + (f" ({step.detail})" if step.detail else "")


def reason(error: Exception) -> str:
    """Return the text of `error`; its class too, unless it is an error of Payflow."""
    return str(error) if isinstance(error, PayflowError) else f"{type(error).__name__}: {error}"


async def cause(
    site: Site, step: Step, reasons: Sequence[str], stuck: Sequence[str], verdict: Verdict | None
) -> str:
    """Return the text on a failed `step`; `stuck` are services that do not move.

    `verdict` is the last one that could be computed.
    """
    concerned: list[str] = [step.target, *(name for name in stuck if name != step.target)]
    services = [name for name in concerned if name]
    lags = await _lags(site, services or site.services)
    logs = [line for name in _processes(step, services) for line in _process(site, name)]
    return text(step, reasons, [*figures(verdict), lags], logs)


def text(step: Step, reasons: Sequence[str], last: Sequence[str], logs: Sequence[str]) -> str:
    """Return everything as lines: each reason, the last figures, then the `logs`."""
    lines = [f"{label(step)}: {each}" for each in reasons[:SHOWN_MAX]]
    if len(reasons) > SHOWN_MAX:
        lines.append(f"  and {len(reasons) - SHOWN_MAX} more")
    lines.append(f"  last figures: {'; '.join(last)}")
    return "\n".join([*lines, *(f"  {line}" for line in logs)])


def figures(verdict: Verdict | None) -> list[str]:
    """Return the open transactions and the dead letters of the last verdict."""
    if verdict is None:
        return ["open transactions and dead letters were never read"]
    dead = ", ".join(f"{count} in {topic}" for topic, count in verdict.dead_letters.items())
    return [
        f"{verdict.started} transactions started, {verdict.unsettled} open",
        f"dead letters: {dead or 'none'}",
    ]


async def _lags(site: Site, services: Sequence[str]) -> str:
    try:
        async with asyncio.timeout(LAG_SECONDS_MAX):
            lags = await waiting_by_service(site.config, services)
    except STEP_ERRORS as error:
        return f"lag of {', '.join(services)} unknown, {reason(error)}"
    behind = [f"{lag} of {name}" for name, lag in lags.items() if lag or len(lags) == 1]
    return f"lag: {', '.join(behind) or 'none'}"


def _processes(step: Step, services: Sequence[str]) -> list[str]:
    process = PROCESSES.get(step.fault.partition("_")[0])
    return [*([process] if process else []), *services] or ["console"]


def _process(site: Site, name: str) -> list[str]:
    """Return the state and the last log line of a process, and those of its second worker."""
    if name == "broker":
        state = "running" if site.broker.running else "ended"
        return [f"broker, process {site.broker.pid}, {state}: {last_line(site.broker.log_path)}"]
    child = site.child(name)
    state = "running" if child.running else f"ended with code {child.exit_code}"
    lines = [f"{name}, process {child.pid}, {state}: {last_line(child.log_path)}"]
    second = second_log(site.config.data_path, name)
    return [*lines, *([f"second {name}: {last_line(second)}"] if second.exists() else [])]


def last_line(path: Path) -> str:
    """Return the last line of a log that is not empty, cut to a readable length."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log, {error.strerror})"
    last = next((line for line in reversed(lines) if line.strip()), "(nothing)")
    return last.strip()[:LINE_CHARACTERS_MAX]
