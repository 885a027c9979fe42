"""One drill from its start to its report: load, faults one by one, drained, verified."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

import aiohttp
import msgspec

import tables
from app.chaos import report
from app.chaos.external_faults import OUTSIDE
from app.chaos.instance import DrillError, Site, open_site
from app.chaos.load import WARM_UP_SECONDS, Load
from app.chaos.plan import Step, mixture, plan
from app.chaos.probe import Probe
from app.chaos.row_differences import differences
from app.chaos.worker_faults import WORKERS
from app.config import Config
from app.kafka.errors import KafkaError
from app.operations.verification.auditor import CANNOT_READ, Auditor
from app.operations.verification.verdict import Verdict
from app.registry import load_workflows, services

RATE_MAX = 50.0
SHARE_OF_CAPACITY = 0.45
"""An instance at its limit cannot recover: the load leaves agent to catch up."""
RATE_MIN = 2.0
REST_SECONDS = 3.0
"""Between two faults, so that their effects can be told apart."""
RECOVERY_SECONDS_MAX = 120.0
DRAIN_SECONDS_MAX = 900.0
AUDIT_TRIES = 3
EXTERNAL_FAULTS = ("provider", "carrier", "webhooks", "hot_key", "repeating")
"""Faults of nobody in Payflow: recovered when every service goes on."""

Say = Callable[[str], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be drilled. `rate` 0: what this machine holds, at most 50 orders a second."""

    seed: int
    rate: float = 0.0
    only: str = ""


class Drill:
    """One run."""

    def __init__(self, config: Config, wanted: Wanted, say: Say) -> None:
        self._config = config
        self._wanted = wanted
        self._say = say
        self._began = time.monotonic()
        self._met: list[report.Met] = []

    async def run(self) -> dict[str, object]:
        """Return the report. Raises DrillError when the drill cannot be carried out."""
        steps = plan(self._wanted.seed, services(), self._wanted.only)
        timeout = aiohttp.ClientTimeout(total=20)
        async with (
            open_site(self._config, self._say) as site,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            load = Load(self._wanted.seed, site.config.console_url, session)
            probe, auditor = Probe(site), Auditor(site.config)
            probing = asyncio.create_task(probe.run())
            await load.stock_up(lambda: asyncio.sleep(REST_SECONDS))
            rate = self._wanted.rate or await self._capacity(load, probe, auditor)
            playing = asyncio.create_task(load.play(rate))
            await asyncio.sleep(REST_SECONDS)
            try:
                for number, step in enumerate(steps, 1):
                    self._step(f"{number}/{len(steps)} {step.fault} {step.target} {step.detail}")
                    await self._meet(site, step, load, probe, auditor)
                    if playing.done():
                        playing.result()
            finally:
                playing.cancel()
            verdict = await self._drain(load, auditor)
            probing.cancel()
            differing = await self._stop_and_compare(site)
            return report.build(
                report.Drilled(
                    seed=self._wanted.seed,
                    rate=rate,
                    orders_asked=load.asked,
                    orders_lost=tuple(load.failed),
                    met=tuple(self._met),
                    stops=tuple(site.stops),
                    rows_differing=tuple(differing),
                    verdict=verdict,
                    wall_s=time.monotonic() - self._began,
                )
            )

    def _step(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    async def _capacity(self, load: Load, probe: Probe, auditor: Auditor) -> float:
        """Return the rate to drill at: measured by a burst and how long it takes to settle."""
        began = time.monotonic()
        playing = asyncio.create_task(load.play(RATE_MAX))
        await asyncio.sleep(WARM_UP_SECONDS)
        playing.cancel()
        await load.settled()
        # The service of a workflow's own table consumes everything of it, its end included.
        workflows = load_workflows().values()
        names = sorted({tables.declared[each.table].service for each in workflows})
        last: dict[str, int] = {}
        while (now := probe.events(names)) != last:
            last = now
            await asyncio.sleep(1.5)
        held = load.accepted / (time.monotonic() - began - 1.5)
        await auditor.verdict()
        rate = max(RATE_MIN, min(RATE_MAX, held * SHARE_OF_CAPACITY))
        self._step(f"{load.accepted} orders settled at {held:.1f}/s: drilled at {rate:.1f}/s")
        return rate

    async def _meet(
        self, site: Site, step: Step, load: Load, probe: Probe, auditor: Auditor
    ) -> None:
        """Carry out `step`, wait until every agent moves again, and verify the books."""
        before = probe.sums()
        breaches: tuple[str, ...] = ()
        seconds = float("inf")
        try:
            since = await self._inject(site, step, load)
            watched = [step.target] if step.target else list(services())
            seconds = await probe.recovered(watched, since, RECOVERY_SECONDS_MAX)
        except (DrillError, KafkaError) as error:
            # A broker that does not answer in time is a breach, and the drill goes on.
            breaches = (f"{step.fault} {step.target}: {error}",)
        await asyncio.sleep(REST_SECONDS)
        verdict = await self._audit(auditor)
        breaches += report.breaches_of(verdict)
        after = probe.sums()
        self._met.append(
            report.Met(
                name=step.fault,
                target=step.target,
                recovery_s=seconds,
                redelivered=after.redelivered - before.redelivered,
                duplicates_dropped=after.duplicates - before.duplicates,
                breaches=breaches,
            )
        )
        self._step(
            f"       recovered in {seconds:.1f} s; {verdict.started} placed, "
            f"{verdict.unsettled} unsettled; {len(breaches)} breaches {'; '.join(breaches)[:300]}"
        )

    async def _inject(self, site: Site, step: Step, load: Load) -> float:
        random = Random(f"{self._wanted.seed} {step}")  # noqa: S311  a seed has to replay
        if step.fault == "mixed":
            for wait_seconds, each in mixture(step.detail, services()):
                await asyncio.sleep(wait_seconds)
                self._step(f"       mixed: {each.fault} {each.target} {each.detail}")
                await self._inject(site, each, load)
            return time.monotonic()
        if step.fault in WORKERS:
            return await WORKERS[step.fault](site, step, random)
        return await OUTSIDE[step.fault](site, step, load, random)

    async def _audit(self, auditor: Auditor) -> Verdict:
        """Return the verdict; a broker that just came back may need to be asked again."""
        for _ in range(AUDIT_TRIES - 1):
            with suppress(*CANNOT_READ):
                return await auditor.verdict()
            await asyncio.sleep(REST_SECONDS)
        return await auditor.verdict()

    async def _drain(self, load: Load, auditor: Auditor) -> Verdict:
        """Return the verdict once nothing is under way any more, or time is up."""
        self._step("draining")
        await load.settled()
        limit = time.monotonic() + DRAIN_SECONDS_MAX
        while True:
            verdict = await self._audit(auditor)
            if verdict.started >= load.accepted and not verdict.unsettled:
                return verdict
            if time.monotonic() > limit:
                return verdict
            self._step(f"       {verdict.unsettled} unsettled")
            await asyncio.sleep(REST_SECONDS)

    async def _stop_and_compare(self, site: Site) -> list[str]:
        """Stop every worker, and return the rows whose disk and changelog differ."""
        self._step("stopping every worker")
        names = site.services
        site.supervisor.held.update(names)
        await asyncio.gather(*(site.stop(name, site.child(name)) for name in names))
        self._step("comparing tables with their changelogs")
        return await differences(site.config, tables.declared.values())
