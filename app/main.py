"""One worker process: `PAYFLOW_SERVICE=fraud faust -A app.main worker`.

Opens the rooms of one service, and the doors through which it can be looked at. The console service
also opens the doors for customers.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from app import discovery, house, telemetry, worker_web
from app.api import serve_api
from app.config import current
from app.views import Views

config = current()
app, runners = house.build(config)
views = Views(app, config, runners)
doors: list[Any] = []


async def open_doors() -> None:
    """Open what can be looked at, before any table recovers."""
    # Faust has set up its own logging by now; ours takes its place.
    telemetry.configure_logging(config)
    served = await worker_web.serve(views, config)
    doors.append(served)
    folder = Path(config.data_dir) / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{config.service}-{os.getpid()}.url").write_text(served.url)


async def close_doors() -> None:
    """Close them: nobody is waited for."""
    for door in reversed(doors):
        await door.stop()
    (Path(config.data_dir) / "run" / f"{config.service}-{os.getpid()}.url").unlink(missing_ok=True)


app.before_tables.append(open_doors)
app.at_stop.append(close_doors)


@app.task
async def announce() -> None:
    """Say where this worker is and what it holds, for as long as it lives."""
    await discovery.announce(views, doors[0].url, views.send)


@app.task
async def watch_lag() -> None:
    """Measure how far behind each partition is."""
    while True:
        await asyncio.sleep(telemetry.LAG_SECONDS)
        telemetry.record_lag(config.service, app.lags())


if config.service == "console":

    @app.task
    async def open_console() -> None:
        """Open the doors for customers."""
        directory = discovery.Directory()
        doors.append(await serve_api(views, directory, config))
        await directory.run(config)


__all__ = ["app"]
