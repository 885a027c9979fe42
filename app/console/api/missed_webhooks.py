"""Webhooks that never arrived, read from the list of the system that sent them.

It is read at the start, and again when no webhook has come for some time; on an instance where they
never cease, after twice that time. So a webhook that was lost costs minutes and not the deadline of
an order. An event that came as a webhook too has the same id, and counts once.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import structlog
from aiohttp import web

from app.config import Config
from app.console.api.context import ApiContext
from app.console.api.webhook_owners import emission_of
from app.entrypoints.requests import BadRequest, WebhookRequest
from app.host.processes import wait_seconds
from app.kafka.reader import places_of, read_to_end, reader, span
from workflows.shared.errors import PayflowError
from workflows.shared.invariants import WEBHOOK_QUIETS_MAX

DAYS_MAX = 30
"""How far back a list is read when nothing is known of before: Stripe's goes no further."""
OVERLAP_SECONDS = 3_600
"""How much of what is known is read again: an event may be in the list later than a newer one."""
PAGES_MAX = 1_000
"""Pages of one round."""
IDS_MAX = 10_000
"""Events remembered as received; another one is only produced again, under its id."""

log = structlog.get_logger(__name__)


class EventPage(Protocol):
    """Events as their webhooks would be; `after` names the next page, empty on the last."""

    @property
    def events(self) -> list[dict[str, object]]:
        """Return the events."""
        ...

    @property
    def after(self) -> str:
        """Return what the next page follows."""
        ...


class MissedWebhooks(Protocol):
    """The list that an external system has of its events."""

    async def page(self, since_seconds: int, after: str) -> EventPage:
        """Return a page of what was not delivered since then. Raises PayflowError."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


def open_list(config: Config) -> MissedWebhooks:
    """Open the provider's list of events. It loads the SDK, which takes half a second."""
    from app.gateways.provider_events import ProviderEvents  # noqa: PLC0415  only when it is needed

    return ProviderEvents(config)


class MissedWebhookReader:
    """Follows one kind of webhook, and reads the list when it is quiet, and when it never is."""

    def __init__(
        self,
        declared: WebhookRequest,
        context: ApiContext,
        open_missed: Callable[[Config], MissedWebhooks] = open_list,
    ) -> None:
        self._declared = declared
        self._context = context
        self._open_missed = open_missed
        self._received: dict[str, None] = {}
        self._newest_seconds = 0
        self._since_seconds = 0
        self._came = asyncio.Event()

    def note(self, event: Mapping[str, object]) -> None:
        """Note an event that has come, as a webhook or in the list."""
        self._came.set()
        self._received[str(event.get("id"))] = None
        while len(self._received) > IDS_MAX:
            del self._received[next(iter(self._received))]
        created = event.get("created")
        if isinstance(created, int):
            # One that is signed may name any time: the list is not passed over until then.
            self._newest_seconds = max(self._newest_seconds, min(created, int(time.time())))

    async def run(self, config: Config) -> None:
        """Read the list at the start and again and again, in a loop. Raises KafkaError."""
        newest_ms = await newest_time_ms(config, self._declared.topic.name)
        oldest = int(time.time()) - DAYS_MAX * 86_400
        self._since_seconds = max(self._newest_seconds, newest_ms // 1_000, oldest)
        missed = await asyncio.to_thread(self._open_missed, config)
        failed = 0
        try:
            while True:
                read = await self._read(missed)
                failed = 0 if read else failed + 1
                await (self._quiet() if read else asyncio.sleep(wait_seconds(failed)))
        finally:
            await missed.close()

    async def _read(self, missed: MissedWebhooks) -> bool:
        """Produce what the list has and no webhook brought; return whether it could be read."""
        since_seconds, after = self._since_seconds - OVERLAP_SECONDS, ""
        try:
            for _ in range(PAGES_MAX):
                page = await missed.page(since_seconds, after)
                for event in page.events:
                    await self._receive(event)
                after = page.after
                if not after:
                    break
        except PayflowError as error:
            log.warning("missed webhooks not read", error=str(error)[:200])
            return False
        # Only now: a list that is away for hours has what was lost among webhooks that came then.
        self._since_seconds = max(self._since_seconds, self._newest_seconds)
        return True

    async def _receive(self, event: dict[str, object]) -> None:
        if str(event.get("id")) in self._received:
            return
        try:
            emission = await emission_of(self._declared, event, self._context.config)
        except BadRequest as error:
            log.warning("missed webhook not understood", error=str(error)[:200])
            emission = None
        if emission is not None:
            log.info("webhook was missed", correlation_id=emission.transaction_id)
            message = emission.message
            envelope = self._context.envelope_of(
                message, emission.event_id, emission.transaction_id
            )
            await self._context.produce(message, envelope)
        self.note(event)

    async def _quiet(self) -> None:
        """Return when no webhook has come for some time, or they have come for too long."""
        quiet_seconds = self._context.config.webhook_quiet_seconds
        clock = asyncio.get_running_loop().time
        ends_at = clock() + WEBHOOK_QUIETS_MAX * quiet_seconds
        # `asyncio.wait_for` of Python 3.11 loses a cancellation that comes with a webhook.
        with suppress(TimeoutError):
            async with asyncio.timeout(quiet_seconds) as wait:
                while True:
                    self._came.clear()
                    await self._came.wait()
                    wait.reschedule(min(clock() + quiet_seconds, ends_at))


MISSED_WEBHOOKS: web.AppKey[dict[str, MissedWebhookReader]] = web.AppKey("missed_webhooks")
"""The readers, by the path of their webhooks."""


async def newest_time_ms(config: Config, topic: str) -> int:
    """Return the time of the newest record of `topic` (ms); 0 when it has none."""
    newest_ms = 0
    places = await places_of(config, topic)
    async with reader(config) as consumer:
        begins, ends = await span(consumer, places)
        starts = {place: max(ends[place] - 1, begins[place]) for place in places}
        async for record in read_to_end(consumer, starts, ends):
            newest_ms = max(newest_ms, record.timestamp)
    return newest_ms
