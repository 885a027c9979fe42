"""Webhooks that never came are read from the provider's list, and count once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from app.config import Config
from app.console.api import missed_webhooks, webhook_owners
from app.console.api.context import ApiContext
from app.console.api.missed_webhooks import OVERLAP_SECONDS, MissedWebhookReader
from app.entrypoints.webhooks import WEBHOOKS
from app.gateways.provider_account import Unclear
from app.gateways.provider_events import EventPage, ProviderEvents
from app.wire.envelope import derive_id
from app.worker.discovery import Directory
from tests.support.console import FakeWorker
from tests.support.external_systems import until
from workflows.payment.provider_messages import ProviderNotified

NOW = 1_700_000_000
CONFIG = Config(service="console")


def event(number: int, kind: str = "payment_intent.succeeded", **metadata: str) -> dict[str, Any]:
    """Return an event as the list has it."""
    about = {"id": f"pi_{number}", "amount": 5, "metadata": metadata or {"order_id": f"o{number}"}}
    return {"id": f"evt_{number}", "type": kind, "created": NOW + number, "data": {"object": about}}


class List:
    """A list of missed webhooks in pages, which may be away."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = list(pages)
        self.asked: list[tuple[int, str]] = []
        self.away = 0

    async def page(self, since_seconds: int, after: str) -> EventPage:
        self.asked.append((since_seconds, after))
        if self.away:
            self.away -= 1
            raise Unclear("no connection")
        number = int(after or 0)
        more = str(number + 1) if number + 1 < len(self.pages) else ""
        return EventPage(events=self.pages[number] if self.pages else [], after=more)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def queries() -> FakeWorker:
    """A worker that takes messages down."""
    return FakeWorker()


def reader_of(
    queries: FakeWorker, missed: List, quiet_seconds: float = 0.05
) -> MissedWebhookReader:
    """Return a reader of `missed`."""
    config = replace(CONFIG, webhook_quiet_seconds=quiet_seconds)
    context = ApiContext(queries, queries, Directory(), config, lambda: NOW)
    return MissedWebhookReader(WEBHOOKS[0], context, lambda _config: missed)


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that end with the test; the topic's newest record is of NOW."""

    async def newest(_config: Config, topic: str) -> int:
        assert "provider.webhooks" == topic
        return NOW * 1_000

    monkeypatch.setattr(missed_webhooks, "newest_time_ms", newest)
    monkeypatch.setattr(missed_webhooks.time, "time", lambda: float(NOW + 60))
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_did_not_come_is_produced_under_the_id_of_its_webhook(
    queries: FakeWorker, running: list[asyncio.Task[None]]
) -> None:
    """All pages; not what has come, nor what is not ours or cannot be understood."""
    pages = (
        [event(4), event(3, "customer.created")],
        [event(2), event(1), event(5, installation="x", order_id="o5"), {"id": "e", "type": "x"}],
    )
    missed = List(*pages)
    reader = reader_of(queries, missed)
    reader.note(event(2))

    running.append(asyncio.create_task(reader.run(CONFIG)))
    await until(lambda: len(queries.emitted) == 2 and len(missed.asked) > 4)

    assert ["o4", "o1"] == [envelope.correlation_id for _, envelope in queries.emitted]
    assert [derive_id("provider", f"evt_{n}") for n in (4, 1)] == [
        envelope.id for _, envelope in queries.emitted
    ]
    assert [(NOW + 2 - OVERLAP_SECONDS, ""), (NOW + 2 - OVERLAP_SECONDS, "1")] == missed.asked[:2]
    assert (NOW + 5 - OVERLAP_SECONDS, "") == missed.asked[2]


async def test_an_outage_is_read_when_it_is_over(
    queries: FakeWorker, running: list[asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where it began."""
    monkeypatch.setattr(missed_webhooks, "wait_seconds", lambda _failed: 0.01)
    missed = List([event(1)])
    missed.away = 3

    running.append(asyncio.create_task(reader_of(queries, missed).run(CONFIG)))
    await until(lambda: len(queries.emitted) == 1)

    assert {NOW - OVERLAP_SECONDS} == {since for since, _ in missed.asked[:4]}


async def test_a_webhook_is_no_reason_to_read_the_list(
    queries: FakeWorker, running: list[asyncio.Task[None]]
) -> None:
    """It is read when it is quiet, and after a time that no number of them makes shorter."""
    missed = List([])
    reader = reader_of(queries, missed, quiet_seconds=300.0)
    running.append(asyncio.create_task(reader.run(CONFIG)))
    await until(lambda: len(missed.asked) == 1)

    for number in range(20):
        reader.note(event(number))
        await asyncio.sleep(0)

    assert 1 == len(missed.asked)


async def test_what_is_lost_among_others_is_read_although_it_is_never_quiet(
    queries: FakeWorker, running: list[asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dispute between webhooks that do not cease: nobody else would ask about it."""

    async def metadata(_config: Config, intent_id: str) -> dict[str, str]:
        return {"order_id": f"order of {intent_id}"}

    async def come() -> None:
        for number in range(1, 1_000_000):
            reader.note(event(number))
            await asyncio.sleep(quiet_seconds / 50)

    monkeypatch.setattr(webhook_owners, "_metadata", metadata)
    quiet_seconds, missed = 0.5, List([])
    reader = reader_of(queries, missed, quiet_seconds)
    running.append(asyncio.create_task(come()))
    running.append(asyncio.create_task(reader.run(CONFIG)))
    await until(lambda: len(missed.asked) == 1)
    about = {"id": "du_1", "payment_intent": "pi_1", "amount": 5, "currency": "gbp"}
    lost = {**event(0, "charge.dispute.created"), "id": "evt_lost", "data": {"object": about}}
    missed.pages = [[lost]]

    await until(lambda: len(queries.emitted) == 1)

    [(message, envelope)] = queries.emitted
    assert isinstance(message, ProviderNotified)
    assert ("dispute_changed", "du_1") == (message.kind, message.dispute_id)
    assert "order of pi_1" == envelope.correlation_id


async def test_what_is_lost_while_the_list_is_away_is_read_hours_later(
    queries: FakeWorker, running: list[asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the last time that it was read, whatever has come since; and no time is to come."""
    monkeypatch.setattr(missed_webhooks, "wait_seconds", lambda _failed: 0.01)
    missed = List([])
    reader = reader_of(queries, missed)
    running.append(asyncio.create_task(reader.run(CONFIG)))
    await until(lambda: len(missed.asked) == 1)
    later = NOW + 6 * 3_600
    monkeypatch.setattr(missed_webhooks.time, "time", lambda: float(later))

    missed.away = 3
    reader.note({**event(1), "created": later + 86_400})
    await until(lambda: len(missed.asked) > 5)

    since = [seconds + OVERLAP_SECONDS for seconds, _ in missed.asked[1:]]
    assert [NOW] * 4 == since[:4]
    assert later == since[4]


async def test_the_list_is_asked_for_as_stripe_documents_it() -> None:
    """docs.stripe.com/api/events/list: what was not delivered since then, page by page."""
    requests: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(dict(request.query))
        events = [event(len(requests))]
        for each in events:
            each["object"] = "event"
        body = {
            "object": "list",
            "url": "/v1/events",
            "has_more": len(requests) == 1,
            "data": events,
        }
        return web.json_response(body)

    app = web.Application()
    app.router.add_get("/v1/events", answer)
    async with TestServer(app) as server:
        events = ProviderEvents(Config(provider_url=str(server.make_url("")).rstrip("/")))
        first = await events.page(NOW, "")
        last = await events.page(NOW, first.after)
        await events.close()

    query = {"created[gte]": str(NOW), "delivery_success": "false", "limit": "100"}
    assert [query, {**query, "starting_after": "evt_1"}] == requests
    assert ("evt_1", "") == (first.after, last.after)
    assert event(1)["data"] == first.events[0]["data"]
