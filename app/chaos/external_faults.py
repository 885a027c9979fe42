"""Faults of the broker, of the external systems, and of what lies on the topics."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from random import Random

import aiohttp
import msgspec

from app.chaos.forged_webhooks import webhooks_forged
from app.chaos.hostile_producer import hostile_producer
from app.chaos.instance import WAIT_SECONDS_MAX, DrillError, Site
from app.chaos.lag import waiting
from app.chaos.load import Load
from app.chaos.plan import Step
from app.chaos.record_copies import repeat
from app.local import broker, fault_switches
from app.operations.verification.auditor import listeners
from workflows.shared.topic import declared

BACKLOG_SECONDS_MAX = 900.0
RIGHT: dict[str, dict[str, dict[str, float]]] = {
    "provider_declines": {"provider": {"decline": 0.5}},
    "provider_rate_limits": {"provider": {"rate_limited": 0.5}},
    "provider_error_before": {"provider": {"error_before": 0.5}},
    "provider_error_after": {"provider": {"error_after": 0.5}},
    "provider_timeout": {"provider": {"timeout": 0.4}},
    "provider_slow": {"provider": {"slow": 0.8, "slow_seconds": 1.5}},
    "captures_declined": {"provider": {"capture_declined": 1.0}},
    "holds_expire": {"provider": {"hold_expired": 1.0}},
    "refunds_wait": {"provider": {"refund_pending": 1.0}},
    "refunds_fail": {"provider": {"refund_fail": 0.5}},
    "webhooks_late": {"provider": {"webhook_late": 1.0, "webhook_late_seconds": 8.0}},
    "webhooks_doubled": {"provider": {"webhook_doubled": 1.0}, "carrier": {"webhook_doubled": 1.0}},
    "webhooks_lost": {"provider": {"webhook_lost": 1.0}, "carrier": {"webhook_lost": 1.0}},
    "carrier_errors": {"carrier": {"error_before": 0.2, "error_after": 0.2, "timeout": 0.2}},
    "carrier_refuses": {"carrier": {"refuse": 0.5}},
}
"""The faults that each misbehaviour sets at which external system."""

Mark = float


async def misbehave(site: Site, step: Step, _load: Load, random: Random) -> Mark:
    """Let an external system misbehave for a while."""
    wrong = RIGHT[step.fault]
    for system, rates in wrong.items():
        seed = {"seed": random.randrange(1 << 30)}
        await fault_switches.put(site.config, system, {**rates, **seed})
    await asyncio.sleep(site.size.external_seconds)
    for system in wrong:
        await fault_switches.clear(site.config, system)
    return time.monotonic()


async def _down(site: Site, system: str, seconds: float) -> Mark:
    site.supervisor.held.add(system)
    try:
        site.child(system).kill()
        await asyncio.sleep(seconds)
    finally:
        site.supervisor.held.discard(system)
    mark = time.monotonic()
    # The next fault may set other faults of the same system.
    url = getattr(site.config, f"{system}_url")
    await site.until_async(lambda: _answers(url), f"{system} answers again", WAIT_SECONDS_MAX)
    return mark


async def _answers(url: str) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with aiohttp.request("GET", url, timeout=aiohttp.ClientTimeout(total=2)):
            return True
    return False


async def provider_down(site: Site, _step: Step, _load: Load, _random: Random) -> Mark:
    """Stop the provider for a while: orders wait, nothing else stops."""
    return await _down(site, "provider", site.size.provider_down_seconds)


async def carrier_down(site: Site, _step: Step, _load: Load, _random: Random) -> Mark:
    """Stop the carrier for a while."""
    return await _down(site, "carrier", site.size.carrier_down_seconds)


async def broker_kill(site: Site, _step: Step, _load: Load, _random: Random) -> Mark:
    """Kill the broker, as a power cut does; it is restarted at once."""
    site.broker.kill()
    port = int(site.proxy.url.rpartition(":")[2])
    config = msgspec.structs.replace(site.config, broker_url="")
    site.broker = await asyncio.to_thread(broker.start, config, lambda _line: None, port)
    return time.monotonic()


async def broker_unreachable(site: Site, _step: Step, _load: Load, _random: Random) -> Mark:
    """Cut all connections to the broker for a while: no process ends."""
    pids = site.pids()
    site.proxy.shut()
    try:
        await asyncio.sleep(site.size.unreachable_seconds)
    finally:
        await site.proxy.open()
    return await _outlived(site, pids)


async def broker_frozen(site: Site, _step: Step, _load: Load, _random: Random) -> Mark:
    """Freeze the broker for longer than a session: it does not answer, and no process ends."""
    pids = site.pids()
    os.kill(site.broker.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(site.size.frozen_seconds)
    finally:
        os.kill(site.broker.pid, signal.SIGCONT)
    return await _outlived(site, pids)


async def _outlived(site: Site, pids: dict[str, int]) -> Mark:
    """Return now, once no process of `pids` has ended for a while; raises DrillError."""
    mark = time.monotonic()
    await asyncio.sleep(site.size.outlive_seconds)
    site.check_pids(pids, "a broker that was away")
    return mark


async def hot_key(site: Site, _step: Step, load: Load, _random: Random) -> Mark:
    """Place many orders of the same article at once."""
    await load.burst(site.size.hot_orders, site.size.hot_rate)
    return time.monotonic()


async def repeating_producer(site: Site, _step: Step, _load: Load, random: Random) -> Mark:
    """Produce all records again, byte for byte, in another order between topics."""
    size = site.size
    await repeat(site, list(declared), size.repeated_max, random, size.repeat_delay_seconds_max)
    return time.monotonic()


async def backlog(site: Site, step: Step, _load: Load, random: Random) -> Mark:
    """Stop a service until many events wait for it; the producer repeats what is missing."""
    child, events = site.child(step.target), site.size.backlog_events
    site.supervisor.held.add(step.target)
    try:
        await site.stop(step.target, child)
        limit = time.monotonic() + BACKLOG_SECONDS_MAX
        names = [name for name in listeners()[step.target] if name in declared]
        while (behind := await waiting(site.config, step.target)) < events:
            if time.monotonic() > limit:
                raise DrillError(f"only {behind} events wait for {step.target}")
            await repeat(site, names, events - behind, random)
    finally:
        site.supervisor.held.discard(step.target)
    mark = time.monotonic()
    await site.until_async(lambda: _near(site, step.target), f"{step.target} catches up")
    return mark


async def _near(site: Site, service: str) -> bool:
    return await waiting(site.config, service) < site.size.caught_up_events


OUTSIDE = {
    **dict.fromkeys(RIGHT, misbehave),
    **{
        each.__name__: each
        for each in (
            provider_down,
            carrier_down,
            webhooks_forged,
            broker_kill,
            broker_unreachable,
            broker_frozen,
            hot_key,
            repeating_producer,
            hostile_producer,
            backlog,
        )
    },
}
"""Every fault of this module by name."""
