"""The HTTP API and the live page: the doors for customers and for people who look."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

from app.api import figures, pages
from app.api.desk import DESK, Desk, now_ms
from app.api.figures import FIGURES, STREAMS, Figures
from app.api.openapi import openapi_of
from app.api.orders import REPEATS, Repeats
from app.api.pages import VERDICT
from app.api.problems import BODY_BYTES_MAX, known_hosts, problems
from app.api.routes import ROUTES
from app.config import Config
from app.discovery import Directory
from app.worker_web import House, Served, serve_site


def make_api(
    house: House, directory: Directory, config: Config, clock: Callable[[], int] = now_ms
) -> web.Application:
    """Return the API over `house`; other workers are found through `directory`."""
    names = {config.host, urlsplit(config.console_url).hostname or config.host}
    app = web.Application(
        client_max_size=BODY_BYTES_MAX, middlewares=[problems, known_hosts(*names)]
    )
    app[DESK] = Desk(house, directory, config, clock)
    app[FIGURES] = Figures()
    app[REPEATS] = Repeats()
    app[STREAMS] = set()
    app[VERDICT] = {}
    for route in ROUTES:
        path = route.path.replace("{key}", "{key:.+}")
        app.router.add_route(route.method, path, route.handler)
    app.router.add_get("/openapi.json", openapi_of(ROUTES))
    app.router.add_get("/", pages.page)
    app.router.add_get("/web/{name}", pages.asset)
    app.on_startup.append(_listen)
    app.on_shutdown.append(figures.close_streams)
    app.on_cleanup.append(_close)
    return app


async def serve_api(house: House, directory: Directory, config: Config) -> Served:
    """Serve the API on `config.host` and `config.console_port`; raises OSError when it is taken."""
    return await serve_site(make_api(house, directory, config), config.host, config.console_port)


LISTENING: web.AppKey[asyncio.Task[None]] = web.AppKey("listening")


async def _listen(app: web.Application) -> None:
    config = app[DESK].config
    if config.broker_url:
        app[LISTENING] = asyncio.create_task(app[FIGURES].run(config))


async def _close(app: web.Application) -> None:
    listening = app.get(LISTENING)
    if listening is not None:
        listening.cancel()
    await app[DESK].close()
