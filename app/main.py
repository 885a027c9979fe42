"""One worker process: `PAYFLOW_SERVICE=fraud faust -A app.main worker`.

Opens the agents of one service, and its HTTP server for health, metrics and rows. The console
service also opens the API and the pages.
"""

import asyncio
import os
from typing import IO, Any

from app import composition
from app.config import current
from app.delivery.agent import Caller, InformedDecider
from app.host.exit import hard_stop
from app.host.processes import Busy, hold, keep_files_ours
from app.worker import discovery, http, metrics
from app.worker.local_producer import LocalProducer
from app.worker.queries import LocalQueries
from app.worker.watchdog import Watchdog

keep_files_ours()
config = current()
app, runners = composition.build(config)
queries = LocalQueries(app, config, runners)
producer = LocalProducer(app, config)
servers: list[Any] = []
warming: set[asyncio.Task[object]] = set()
following: list[asyncio.Task[None]] = []
held: list[IO[str]] = []
"""The lock on this worker's folder, released when the process has ended and closed its tables."""


async def open_server() -> None:
    """Open the HTTP server, before any table recovers."""
    # Replaces the logging that Faust has set up.
    metrics.configure_logging(config)
    try:
        # Two workers on one folder would write the same rows.
        held.append(hold(config.data_path / f"{config.service}.lock"))
    except Busy as error:
        hard_stop(
            f"the tables of {config.service}: {error}. Operator: give this worker a folder of its "
            "own with PAYFLOW_DATA_DIR, and say where the broker is with PAYFLOW_BROKER_URL."
        )
    served = await http.serve(queries, config)
    servers.append(served)
    queries.url = served.url
    folder = config.data_path / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{config.service}-{os.getpid()}.url").write_text(served.url)


async def close_server() -> None:
    """Close the servers and the readers of agents' knowledge, without waiting for open requests."""
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    for server in reversed(servers):
        await server.stop()
    (config.data_path / "run" / f"{config.service}-{os.getpid()}.url").unlink(missing_ok=True)


async def warm_up() -> None:
    """Read the knowledge of the agents; load their modules in a thread."""
    for runner in runners:
        if isinstance(runner.agent, InformedDecider):
            runner.followed = await runner.agent.follow(config)
            following.append(runner.followed.task)
        if isinstance(runner.agent, Caller) and runner.agent.prepare is not None:
            task = asyncio.create_task(asyncio.to_thread(runner.agent.prepare))
            task.add_done_callback(_warm_or_stop)
            warming.add(task)


def _warm_or_stop(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        hard_stop(f"{config.service} cannot load what it needs: {error}")


# Health answers while a broker is waited for; the knowledge of agents is read from it.
watchdog = Watchdog(app, runners, config)
app.before_tables = [open_server, *app.before_tables, warm_up, watchdog.start]
app.at_stop.append(close_server)


@app.task
async def announce() -> None:
    """Announce address and partitions of this worker, as long as it runs."""
    await discovery.announce(queries, queries.url, producer.send)


@app.task
async def watch_lag() -> None:
    """Measure the lag of each partition."""
    while True:
        await asyncio.sleep(metrics.LAG_SECONDS)
        metrics.record_lag(
            config.service, {(tp.topic, tp.partition): behind for tp, behind in app.lags().items()}
        )


if config.service == "console":
    from app.console.server import serve_api

    @app.task
    async def open_console() -> None:
        """Open the API and the pages."""
        directory = discovery.Directory()
        servers.append(await serve_api(queries, producer, directory, config))
        await directory.run(config)


__all__ = ["app"]
