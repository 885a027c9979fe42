"""`payflow up`, `demo` and `worker`: what starts Payflow, whole or one process of it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from app.auth import operators
from app.cli.instance import (
    AsJson,
    as_json,
    configuration,
    err,
    fail,
    on_signal,
    run,
    running_instance,
    unless_stopped,
)
from app.cli.orders import (
    Dates,
    Decimals,
    DryRun,
    Encoding,
    Mapping,
    Partial,
    file_options,
    preview,
    show,
)
from app.cli.output import progress_line
from app.config import Config, child_environment
from app.entrypoints.requests import client_scopes, load_entrypoints
from app.local import fault_switches
from app.local.demo import PARTIAL_PERCENT, Demo, DemoError, DemoOptions, fresh
from app.local.demo_report import objection
from app.local.demo_stream import DISK_MB_MAX, ORDERS_PER_SECOND_AFTER
from app.local.importers.order_file import read_plan
from app.local.importers.player import ORDERS_PER_SECOND, Captures
from app.local.importers.receipts import STOCK_PERCENT
from app.local.instance_folder import client_key, example
from app.local.supervisor import Supervisor, worker_command
from app.registry import services
from app.wire.json_output import json_page

ROOT = Path(__file__).parents[2]
FILE = ROOT / "data" / "online_retail_2010-12.csv"
DemoRate = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        max=1_000,
        help="Orders per second.",
        show_default=f"{ORDERS_PER_SECOND:g} from the file, {ORDERS_PER_SECOND_AFTER:g} after it",
    ),
]
DiskMb = Annotated[
    int, typer.Option(min=1, help="Megabytes of data after which no more orders are placed.")
]


def up(
    only: Annotated[str, typer.Option("--services", help="A comma-separated choice.")] = "",
) -> None:
    """Start the broker, external systems and one process for each service; Ctrl-C stops all."""
    service_names = tuple(filter(None, only.split(",")))
    run(_up(service_names))


async def _up(service_names: tuple[str, ...]) -> None:
    stopped = on_signal()
    async with Supervisor(configuration(), _say, service_names).up() as running:
        _say(f"         the page: {running.config.console_url}/   Ctrl-C stops")
        client_key(running.config, client_scopes())
        _say(f"         {example(running.config, load_entrypoints().workflows[0].path)}")
        if hint := operators.first_steps(running.config.data_path):
            _say(f"         {hint}")
        await stopped.wait()


def _say(text: str) -> None:
    # Not broken into lines: a path or an address is copied whole. A value may look like markup.
    err.print(text, markup=False, soft_wrap=True)


def demo(  # noqa: PLR0913  each is an option
    file: Annotated[Path, typer.Option(help="A file of orders: .csv, .gz or .xlsx.")] = FILE,
    rate: DemoRate = None,
    *,
    disk_mb: DiskMb = DISK_MB_MAX,
    dates: Dates = None,
    decimal: Decimals = None,
    columns: Mapping = "",
    encoding: Encoding = "",
    dry_run: DryRun = False,
    once: Annotated[bool, typer.Option(help="End when every order has ended.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where to write the report.")] = None,
    faults: Annotated[str, typer.Option(help="Such as decline=0.2,refuse=0.05")] = "",
    capture: Annotated[Captures, typer.Option(help="When money is taken.")] = "at_shipment",
    partial: Partial = PARTIAL_PERCENT,
    stock: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of what is sold that is in stock.")
    ] = STOCK_PERCENT,
    as_json_too: AsJson = False,
) -> None:
    """Start everything on a fresh folder, play real orders, and go on with ones like them."""
    options = file_options(dates, decimal, columns, encoding)
    demo_options = DemoOptions(
        file=file,
        options=options,
        rate=rate or ORDERS_PER_SECOND,
        rate_after=rate or ORDERS_PER_SECOND_AFTER,
        disk_mb=disk_mb,
        once=once,
        capture=capture,
        partial_percent=partial,
        stock_percent=stock,
        scopes=client_scopes(),
        listed_at=load_entrypoints().workflows[0].path,
    )
    demo_report = run(_counted(demo_options) if dry_run else _demo(demo_options, faults))
    if demo_report is not None:
        _write_report(demo_report, report, as_json_too=as_json_too)


async def _counted(demo_options: DemoOptions) -> None:
    show(preview(read_plan(demo_options.file, demo_options.options)))


def _write_report(
    demo_report: dict[str, object], report: Path | None, *, as_json_too: bool
) -> None:
    body = json_page(demo_report)
    if report is not None:
        report.write_bytes(body + b"\n")
    if as_json_too or report is None:
        as_json(demo_report)
    else:
        err.print(f"report: {report}")
    if wrong := objection(demo_report):
        fail(wrong)


async def _demo(demo_options: DemoOptions, faults: str) -> dict[str, object] | None:
    demo_options = replace(demo_options, faults=fault_switches.parse(faults))
    with progress_line(err) as show:
        ended, demo_report = await unless_stopped(_fresh_demo(demo_options, show))
    if demo_options.once and not ended:
        raise DemoError("stopped before its end; there is no report")
    return demo_report


async def _fresh_demo(
    demo_options: DemoOptions, show: Callable[[dict[str, object]], None]
) -> dict[str, object] | None:
    own = await asyncio.to_thread(fresh, configuration(), _say)
    return await Demo(own, demo_options, _say, show, _open_settlement).run()


def worker(service: str) -> None:
    """Run one worker of SERVICE in the foreground; more of them share its partitions."""
    if service not in services():
        fail(f"no such service: {service}; there are {', '.join(services())}", 2)
    config = replace(running_instance(), service=service)
    command = worker_command()
    os.execve(command[0], command, child_environment(config))  # noqa: S606  Faust's own worker


def _open_settlement(config: Config) -> Callable[[], Awaitable[object]]:
    # It loads the SDK of the provider, which takes half a second.
    from app.console.api.settler import Settler  # noqa: PLC0415  only when it is needed

    return Settler(config).settle
