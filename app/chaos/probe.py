"""The progress of every worker, polled over HTTP."""

import asyncio
import time
from collections.abc import Iterable

import aiohttp
import msgspec

from app.chaos.cause import NotMoving
from app.chaos.instance import Site
from app.config import Config
from app.wire.signing import read_headers

POLL_SECONDS = 0.25


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one worker since it started."""

    events: int = 0
    duplicates: int = 0
    redelivered: int = 0


async def read_totals(session: aiohttp.ClientSession, config: Config, url: str) -> Totals:
    """Return the counts of the worker at `url`. Raises ClientError, TimeoutError, DecodeError."""
    headers = read_headers(config, "/totals")
    async with session.get(f"{url}/totals", headers=headers) as answer:
        answer.raise_for_status()
        return msgspec.json.decode(await answer.read(), type=Totals)


class Probe:
    """Sums over all workers, also ended ones; a killed worker counts by its last answer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._totals: dict[tuple[str, int], Totals] = {}

    async def run(self) -> None:
        """Poll all workers, for ever."""
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                requests = [self._ask(session, *worker) for worker in self._site.workers()]
                await asyncio.gather(*requests, asyncio.sleep(POLL_SECONDS))

    async def _ask(self, session: aiohttp.ClientSession, service: str, pid: int, url: str) -> None:
        try:
            totals = await read_totals(session, self._site.supervisor.config, url)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            # A fault is in force: the last answer is used.
            return
        self._totals[(service, pid)] = totals

    def events(self, services: Iterable[str]) -> dict[str, int]:
        """Return the events applied so far, by service."""
        counts = dict.fromkeys(services, 0)
        for (service, _), totals in self._totals.items():
            if service in counts:
                counts[service] += totals.events
        return counts

    def sums(self) -> Totals:
        """Return the totals over all workers."""
        every = list(self._totals.values())
        return Totals(
            events=sum(each.events for each in every),
            duplicates=sum(each.duplicates for each in every),
            redelivered=sum(each.redelivered for each in every),
        )

    async def recovered(self, services: Iterable[str], since: float, limit_seconds: float) -> float:
        """Return the seconds from `since` (monotonic) until all `services` made progress again.

        Raises NotMoving with those that did not within the limit.
        """
        # An answer from before `since` may be under way.
        await asyncio.sleep(2 * POLL_SECONDS)
        before = self.events(services)
        while time.monotonic() - since < limit_seconds:
            now = self.events(before)
            if all(now[service] > before[service] for service in before):
                return time.monotonic() - since
            await asyncio.sleep(POLL_SECONDS / 2)
        now = self.events(before)
        stuck = [service for service in before if now[service] <= before[service]]
        raise NotMoving(stuck, limit_seconds)
