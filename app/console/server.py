"""The HTTP API and the pages: for customers, operators and readers."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from app.auth import operators
from app.config import Config
from app.console.api.access import AUTH, Auth, authorized
from app.console.api.case_outcomes import PATIENCE, Patience
from app.console.api.context import CONTEXT, ApiContext, MessageProducer, now_ms
from app.console.api.dead_letters import add_dead_letters
from app.console.api.fault_injection import add_fault_injection
from app.console.api.figures import FIGURES, Figures
from app.console.api.flow_metrics import FLOW_METRICS, FlowMetrics
from app.console.api.fraud import add_fraud
from app.console.api.health import VERDICT
from app.console.api.invariants import add_invariants
from app.console.api.live import LIVE, STREAMS, Live, close_streams
from app.console.api.missed_webhooks import MISSED_WEBHOOKS, MissedWebhookReader
from app.console.api.open_cases import OPEN_CASES, OpenCases, case_views
from app.console.api.open_orders import OPEN_ORDERS, OpenOrders
from app.console.api.openapi import openapi_routes
from app.console.api.operator_actions import PENDING_REFUNDS, PROPOSALS, RATES, PendingRefunds
from app.console.api.problems import known_hosts, problems, secured
from app.console.api.quotas import HOLDINGS, Holdings, quotas_of
from app.console.api.routes import ROUTES
from app.console.api.searches import add_searches
from app.console.api.settlement import SETTLEMENT, NightlySettlement
from app.console.api.stand_ins import STAND_INS, StandIns
from app.console.api.workflow_requests import REPEATS, Repeats
from app.console.pages.site import add_pages, page_routes
from app.entrypoints.requests import load_entrypoints
from app.fraud.live.judge import open_rates
from app.host.incoming import readable
from app.host.routes import serve_routes, with_headers_only
from app.kafka.errors import KAFKA_ERRORS
from app.operations.audit.checkpointer import Checkpointer
from app.operations.audit.reader import proposal_in
from app.registry import live_figures, load_workflows
from app.wire.byte_limits import BODY_BYTES_MAX
from app.worker.discovery import Directory
from app.worker.http import LocalQueries, RunningServer, serve_site

log = structlog.get_logger(__name__)


def make_api(
    queries: LocalQueries,
    producer: MessageProducer,
    directory: Directory,
    config: Config,
    clock: Callable[[], int] = now_ms,
) -> web.Application:
    """Return the API of this worker; others are found through `directory`."""
    routes = with_headers_only((*ROUTES, *openapi_routes(ROUTES), *page_routes()))
    names = {config.host, urlsplit(config.console_url).hostname or config.host}
    app = web.Application(
        client_max_size=BODY_BYTES_MAX,
        middlewares=[problems, readable, known_hosts(*names), authorized(routes)],
    )
    app[CONTEXT] = ApiContext(queries, producer, directory, config, clock)
    figures = live_figures()
    app[FIGURES] = Figures(next(iter(figures.values())), further=figures)
    app[HOLDINGS] = Holdings(quotas_of(config), clock)
    app[OPEN_ORDERS] = tuple(OpenOrders(each, app[HOLDINGS]) for each in load_workflows().values())
    app[OPEN_CASES] = tuple(map(OpenCases, case_views()))
    app[MISSED_WEBHOOKS] = _missed_webhooks(app[CONTEXT])
    app[SETTLEMENT] = NightlySettlement(config)
    app[LIVE], app[REPEATS] = Live(app), Repeats()
    app[STREAMS] = set()
    app[VERDICT] = {}
    app[STAND_INS] = StandIns()
    app[AUTH] = Auth(config)
    app[PENDING_REFUNDS] = PendingRefunds()
    app[RATES], app[PATIENCE] = open_rates(config), Patience()
    app[PROPOSALS] = proposal_in(config)
    for add in (add_invariants, add_dead_letters, add_searches, add_fault_injection, add_fraud):
        add(app)
    add_pages(app)
    serve_routes(app, routes)
    app[FLOW_METRICS] = FlowMetrics(app[CONTEXT])
    app.on_response_prepare.append(secured)
    app.on_startup.append(_listen)
    app.on_shutdown.append(close_streams)
    app.on_cleanup.append(_close)
    return app


def _missed_webhooks(context: ApiContext) -> dict[str, MissedWebhookReader]:
    """Return the reader of each kind of webhook whose sender lists them, by their path."""
    return {
        each.path: MissedWebhookReader(each, context)
        for each in load_entrypoints().webhooks
        if each.is_listed
    }


async def serve_api(
    queries: LocalQueries, producer: MessageProducer, directory: Directory, config: Config
) -> RunningServer:
    """Serve the API on `config.host` and `config.console_port`; raises OSError when it is taken."""
    _first_start(config)
    return await serve_site(make_api(queries, producer, directory, config), config, "console_port")


def _first_start(config: Config) -> None:
    token = operators.first_start(config.data_path)
    if token:
        # Many people read logs: they name the file of the token, not the token.
        try:
            path = operators.note(config.data_path, operators.FIRST, token)
        except OSError:
            # The token is nowhere else: the next start makes another.
            (config.data_path / operators.FILE).unlink()
            raise
        log.warning("first operator made; its token is in this file until it is used", path=path)


LISTEN_AGAIN_SECONDS = 2.0
LISTENING: web.AppKey[list[asyncio.Task[None]]] = web.AppKey("listening")


async def _listen(app: web.Application) -> None:
    context = app[CONTEXT]
    if context.config.broker_url:
        app[LISTENING] = [
            *(
                asyncio.create_task(_follow(partial(app[FIGURES].run, topic), context.config))
                for topic in app[FIGURES].topics
            ),
            *(asyncio.create_task(_follow(each.run, context.config)) for each in app[OPEN_ORDERS]),
            *(asyncio.create_task(_follow(each.run, context.config)) for each in app[OPEN_CASES]),
            *(
                asyncio.create_task(_follow(each.run, context.config))
                for each in app[MISSED_WEBHOOKS].values()
            ),
            asyncio.create_task(_follow(app[SETTLEMENT].run, context.config)),
            asyncio.create_task(Checkpointer(context.config, context.producer.publish).run()),
        ]
        for task in app[LISTENING]:
            task.add_done_callback(_say_why)


async def _follow(listen: Callable[[Config], Awaitable[None]], config: Config) -> None:
    while True:
        try:
            await listen(config)
        except KAFKA_ERRORS as error:
            # Its topic may not exist yet; records that are received again change nothing.
            log.warning("listener restarted", error=str(error))
        await asyncio.sleep(LISTEN_AGAIN_SECONDS)


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("listener ended", error=repr(error)[:500])


async def _close(app: web.Application) -> None:
    listening = app.get(LISTENING, [])
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    await app[CONTEXT].close()
