"""One drill from its start to its report: load, faults one by one, drained, verified."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import aiohttp
import msgspec

import tables
from app.chaos import report
from app.chaos.cause import SHOWN_MAX, STEP_ERRORS, NotMoving, cause, label, reason
from app.chaos.external_faults import OUTSIDE
from app.chaos.instance import Site, open_site
from app.chaos.load import WARM_UP_SECONDS, Load
from app.chaos.operator import Operator
from app.chaos.plan import Step, mixture, plan
from app.chaos.probe import Probe
from app.chaos.row_differences import differences
from app.chaos.size import FULL, DrillSize
from app.chaos.worker_faults import WORKERS
from app.config import Config
from app.entrypoints.requests import client_scopes
from app.local.instance_folder import client_key
from app.operations.verification.auditor import CANNOT_READ, Auditor, Verdict
from app.registry import load_workflows, services

RATE_MAX = 50.0
SHARE_OF_CAPACITY = 0.45
"""An instance at its limit cannot recover, so the load leaves capacity to catch up."""
RATE_MIN = 2.0
START_SECONDS = 3.0
"""Seconds until the stock is received, and until the load flows."""
RECOVERY_SECONDS_MAX = 120.0
AUDIT_TRIES = 3
AUDIT_AGAIN_SECONDS = 3.0
DECISION_SECONDS_MAX = 300.0
"""How long an operator decides what stays open after a fault, until it counts as a breach.

A decision waits behind everything else that its service has to do, at the worst a backlog."""

Say = Callable[[str], None]


class DrillOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a drill.

    `rate` 0: what this machine can handle, at most 50 orders per second.
    """

    seed: int
    rate: float = 0.0
    only: str = ""
    size: DrillSize = FULL


async def run_drill(config: Config, options: DrillOptions, say: Say) -> dict[str, object]:
    """Return the report. Raises DrillError when the drill cannot be carried out."""
    steps = plan(options.seed, services(), options.only, options.size)
    async with open_drill(config, options, say) as drill:
        for number, step in enumerate(steps, 1):
            await drill.run_step(step, f"{number}/{len(steps)}")
        return report.build(await drill.finish())


@asynccontextmanager
async def open_drill(config: Config, options: DrillOptions, say: Say) -> AsyncIterator["Drill"]:
    """Run an instance under load for a `with`. Raises DrillError when it cannot be started."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        open_site(config, options.size, say) as site,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        key = client_key(site.config, client_scopes())
        load = Load(options.seed, site.config.console_url, session, key)
        drill = Drill(site, options, load, say)
        try:
            await drill.start()
            yield drill
        finally:
            drill.end()


class Drill:
    """A running drill: its instance, the load on it, and the results of its faults."""

    def __init__(self, site: Site, options: DrillOptions, load: Load, say: Say) -> None:
        self._site = site
        self._wanted = options
        self._load = load
        self._say = say
        self._probe = Probe(site)
        self._auditor = Auditor(site.config)
        self._operator = Operator(site.config.data_path, options.seed, load)
        self._rate = options.rate
        self._verdict: Verdict | None = None
        """The last one that could be computed."""
        self._began = time.monotonic()
        self._met: list[report.FaultResult] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to probe and to place orders."""
        self._tasks.append(asyncio.create_task(self._probe.run()))
        await self._load.stock_up(lambda: asyncio.sleep(START_SECONDS))
        self._rate = self._rate or await self._capacity()
        self._tasks.append(asyncio.create_task(self._load.play(self._rate)))
        await asyncio.sleep(START_SECONDS)

    def end(self) -> None:
        """Stop probing and placing orders."""
        for task in self._tasks:
            task.cancel()
        self._load.end()

    async def run_step(self, step: Step, number: str = "") -> report.FaultResult:
        """Inject the fault of `step`, wait until every service makes progress again, and verify."""
        self._step(f"{number} {label(step)}")
        self._load.during = label(step)
        before, written = self._probe.sums(), self._site.counts.copy()
        reasons: list[str] = []
        stuck: tuple[str, ...] = ()
        seconds = float("inf")
        condition = "it is injected"
        try:
            since = await self._inject(step)
            condition = "every service concerned applies another event"
            watched = [step.target] if step.target else list(services())
            seconds = await self._probe.recovered(watched, since, RECOVERY_SECONDS_MAX)
        except STEP_ERRORS as error:
            # A broker that does not answer in time is a breach, and the drill goes on.
            stuck = error.services if isinstance(error, NotMoving) else ()
            reasons.append(f"while waited for: {condition}: {reason(error)}")
        await asyncio.sleep(self._wanted.size.rest_seconds)
        reasons += await self._decide()
        after = self._probe.sums()
        outcome = report.FaultResult(
            name=step.fault,
            target=step.target,
            recovery_s=seconds,
            redelivered=after.redelivered - before.redelivered,
            duplicates_dropped=after.duplicates - before.duplicates,
            written=dict(self._site.counts - written),
            breaches=tuple(f"{label(step)}: {each}" for each in reasons),
            cause=await self._cause(step, reasons, stuck) if reasons else "",
        )
        self._met.append(outcome)
        self._step(f"       recovered in {seconds:.1f} s; {len(reasons)} breaches")
        if outcome.cause:
            self._say(outcome.cause)
        return outcome

    async def finish(self) -> report.DrillResult:
        """Let every order end, stop every worker, compare its rows; return the result."""
        for task in self._tasks[1:]:
            if task.done():
                task.result()
            task.cancel()
        unended = await self._drain()
        self.end()
        differing = await self._stop_and_compare()
        assert self._verdict is not None
        return report.DrillResult(
            seed=self._wanted.seed,
            rate=self._rate,
            asked=self._load.asked,
            lost=tuple(self._load.failed),
            met=tuple(self._met),
            stops=tuple(self._site.stops),
            rows_differing=tuple(differing),
            unended=unended,
            verdict=self._verdict,
            wall_s=time.monotonic() - self._began,
        )

    def _step(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    async def _capacity(self) -> float:
        """Return the rate of the drill, measured by a burst and how long it takes to settle."""
        load = self._load
        began = time.monotonic()
        playing = asyncio.create_task(load.play(RATE_MAX))
        await asyncio.sleep(WARM_UP_SECONDS)
        playing.cancel()
        await load.join()
        # The service of a workflow's own table consumes everything of it, its end included.
        workflows = load_workflows().values()
        names = sorted({tables.declared[each.table].service for each in workflows})
        last: dict[str, int] = {}
        while (now := self._probe.events(names)) != last:
            last = now
            await asyncio.sleep(1.5)
        accepted = load.accepted
        held = accepted / (time.monotonic() - began - 1.5)
        await self._auditor.verdict()
        rate = max(RATE_MIN, min(RATE_MAX, held * SHARE_OF_CAPACITY))
        self._step(f"{accepted} orders ended at {held:.1f}/s: drilled at {rate:.1f}/s")
        return rate

    async def _inject(self, step: Step) -> float:
        random = Random(f"{self._wanted.seed} {step}")  # noqa: S311  a seed has to replay
        if step.fault == "mixed":
            for wait_seconds, each in mixture(step.detail, services(), self._wanted.size):
                await asyncio.sleep(wait_seconds)
                self._step(f"       mixed: {label(each)}")
                await self._inject(each)
            return time.monotonic()
        if step.fault in WORKERS:
            return await WORKERS[step.fault](self._site, step, random)
        return await OUTSIDE[step.fault](self._site, step, self._load, random)

    async def _decide(self) -> list[str]:
        """Let an operator decide until no case is left; return what `_audit` returns then."""
        limit, count = 0.0, -1
        decisions = self._operator.decisions
        errors = await self._audit()
        while self._verdict and await self._operator.decide(self._verdict.checks):
            # `verify` names fifty at a time: while others come, a slow machine is not at fault.
            if len(self._operator.cases) > count:
                limit, count = time.monotonic() + DECISION_SECONDS_MAX, len(self._operator.cases)
            elif time.monotonic() > limit:
                break
            await asyncio.sleep(AUDIT_AGAIN_SECONDS)
            errors = await self._audit()
        self._site.counts["decisions of an operator"] += self._operator.decisions - decisions
        return errors

    async def _audit(self) -> list[str]:
        """Verify anew; return what is broken, or why nothing could be read."""
        for left in reversed(range(AUDIT_TRIES)):
            try:
                self._verdict = await self._auditor.verdict()
            except CANNOT_READ as error:
                # A broker that has just restarted may need another try.
                if not left:
                    return [f"while waited for: the books can be read: {reason(error)}"]
                await asyncio.sleep(AUDIT_AGAIN_SECONDS)
            else:
                break
        assert self._verdict is not None
        return list(report.breaches_of(self._verdict))

    async def _cause(self, step: Step, reasons: list[str], stuck: tuple[str, ...]) -> str:
        return await cause(self._site, step, reasons, stuck, self._verdict)

    async def _drain(self) -> str:
        """Wait until no order is in motion; return the cause when time is up before."""
        self._step("draining")
        await self._load.join()
        seconds = self._wanted.size.drain_seconds_max
        limit = time.monotonic() + seconds
        while True:
            errors = await self._decide()
            verdict = self._verdict
            if verdict and verdict.started >= self._load.accepted and not verdict.unsettled:
                return ""
            if time.monotonic() > limit:
                ids = verdict.open_ids if verdict else ()
                texts = [f"{each} placed during {self._load.of(each)}" for each in ids[:SHOWN_MAX]]
                text = f"not within {seconds:.0f} s: every order ends; open: {'; '.join(texts)}"
                return await self._cause(Step(fault="drain"), [text, *errors], ())
            self._step(f"       {verdict.unsettled if verdict else 'unknown'} not at rest")
            await asyncio.sleep(self._wanted.size.rest_seconds)

    async def _stop_and_compare(self) -> list[str]:
        """Stop every worker, and return the rows whose disk and changelog differ."""
        self._step("stopping every worker")
        site, names = self._site, self._site.services
        site.supervisor.held.update(names)
        await asyncio.gather(*(site.stop(name, site.child(name)) for name in names))
        self._step("comparing tables with their changelogs")
        return await differences(site.config, tables.declared.values())
