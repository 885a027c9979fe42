"""The command line: `payflow --help`."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
import typer
from msgspec.structs import replace

from app.auth import operators as operator_file
from app.cli import (
    audit,
    chaos,
    dead_letters,
    fraud,
    operators,
    reconcile,
    replay,
    topics,
    trace,
    watch,
)
from app.cli.instance import as_json, ask, configuration, err, fail, out, run, running_instance
from app.cli.output import progress, show_faults, show_order
from app.config import child_environment
from app.local import fault_switches
from app.local.demo import Demo, DemoError, Wanted, fresh
from app.local.importers.player import ORDERS_PER_SECOND, Player, read_plan
from app.local.supervisor import Supervisor, worker_command
from app.operations.verification import auditor
from app.registry import services

ROOT = Path(__file__).parents[2]
FILE = ROOT / "data" / "online_retail_2010-12.csv"

app = typer.Typer(no_args_is_help=True, help="Event-driven payments on Kafka.")
groups = {
    name: typer.Typer(no_args_is_help=True, help=text)
    for name, text in {
        "orders": "Play orders from a file.",
        "order": "Look at one order.",
        "tables": "Look at the tables of every service.",
        "faults": "What the external systems do wrong.",
    }.items()
}
for _name, _group in groups.items():
    app.add_typer(_group, name=_name)
app.add_typer(dead_letters.group, name="dead")
app.add_typer(fraud.group, name="fraud")
app.add_typer(topics.group, name="topics")
app.add_typer(audit.group, name="audit")
app.add_typer(operators.group, name="operators")
app.command()(chaos.chaos)
app.command("reconcile")(reconcile.reconcile_books)
app.command()(replay.replay)
app.command()(trace.trace)
app.command()(watch.watch)

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else.")]
Rate = Annotated[float, typer.Option(min=0.1, max=1_000, help="Orders a second.")]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def up(
    only: Annotated[str, typer.Option("--services", help="A comma-separated choice.")] = "",
) -> None:
    """Start the broker, the external systems and one process a service; Ctrl-C stops all."""
    chosen = tuple(filter(None, only.split(",")))
    run(_up(chosen))


async def _up(chosen: tuple[str, ...]) -> None:
    stopped = _on_signal()
    async with Supervisor(configuration(), err.print, chosen).up() as running:
        err.print(f"         the page: {running.config.console_url}/   Ctrl-C stops")
        if hint := operator_file.first_steps(running.config.data_path):
            err.print(f"         {hint}")
        await stopped.wait()


def _on_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    return stopped


@app.command()
def demo(  # noqa: PLR0913  each is an option
    file: Annotated[Path, typer.Option(help="A file of the form of Online Retail.")] = FILE,
    rate: Rate = ORDERS_PER_SECOND,
    once: Annotated[bool, typer.Option(help="End when every order has ended.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where to write the report.")] = None,
    faults: Annotated[str, typer.Option(help="Such as decline=0.2,refuse=0.05")] = "",
    as_json_too: AsJson = False,
) -> None:
    """Start everything on a fresh folder and play real orders through it."""
    found = run(_demo(file, rate, once=once, faults=faults))
    if found is None:
        return
    body = msgspec.json.format(msgspec.json.encode(found), indent=2)
    if report is not None:
        report.write_bytes(body + b"\n")
    if as_json_too or report is None:
        as_json(found)
    else:
        err.print(f"report: {report}")
    if not found["verify_ok"]:
        fail("the books do not balance; see: payflow verify")


async def _demo(file: Path, rate: float, *, once: bool, faults: str) -> dict[str, Any] | None:
    wanted = Wanted(file=file, rate=rate, once=once, faults=fault_switches.parse(faults))
    with progress(err) as show:
        running = asyncio.ensure_future(Demo(fresh(configuration()), wanted, err.print, show).run())
        stopped = asyncio.ensure_future(_on_signal().wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            stopped.cancel()
            return running.result()
        running.cancel()
        await asyncio.wait({running})
    if once:
        raise DemoError("stopped before its end; there is no report")
    return None


@app.command()
def worker(service: str) -> None:
    """Run one worker of SERVICE in the foreground; more of them share its partitions."""
    if service not in services():
        fail(f"no such service: {service}; there are {', '.join(services())}", 2)
    config = replace(running_instance(), service=service)
    command = worker_command()
    os.execve(command[0], command, child_environment(config))  # noqa: S606  Faust's own worker


@app.command()
def verify(as_json_too: AsJson = False) -> None:
    """Check that every order has one end and that money, ledger and stock agree."""
    verdict = run(auditor.verify(running_instance(), None if as_json_too else err.print))
    if as_json_too:
        as_json(verdict)
    else:
        auditor.show(verdict, out)
    if not verdict.verify_ok:
        raise typer.Exit(1)


@groups["orders"].command("load")
def orders_load(file: Path, rate: Rate = ORDERS_PER_SECOND, as_json_too: AsJson = False) -> None:
    """Play FILE through the API of the running instance, stock included."""
    loaded = run(_load(file, rate))
    if as_json_too:
        as_json(loaded)
    else:
        rows = ", ".join(f"{count} {name}" for name, count in loaded.rows.items())
        out.print(f"{loaded.rows_read} rows: {rows}; {loaded.orders_asked} orders placed")


async def _load(file: Path, rate: float) -> Any:
    plan = read_plan(file)
    with progress(err) as show:
        async with aiohttp.ClientSession() as session:
            player = Player(running_instance().console_url, rate, session)
            await player.receive_stock(plan, err.print)
            playing = asyncio.ensure_future(player.play(plan))
            while not playing.done():
                figures = await player.get("/figures")
                show({**figures, "planned": player.loaded.orders_planned})
                await asyncio.wait({playing}, timeout=1)
            return playing.result()


@groups["order"].command("show")
def order_show(order_id: str, as_json_too: AsJson = False) -> None:
    """Show how an order stands: each step, what is due when."""
    found = run(ask(running_instance(), f"/orders/{order_id}"))
    as_json(found) if as_json_too else show_order(found, out)


@groups["tables"].command("ls")
def tables_ls(as_json_too: AsJson = False) -> None:
    """List all tables and who holds their partitions."""
    found = run(ask(running_instance(), "/tables"))["tables"]
    if as_json_too:
        as_json(found)
        return
    for table in found:
        held = ", ".join(f"{each['partitions']} by {each['pid']}" for each in table["held_by"])
        out.print(f"{table['name']:<14}{table['service']:<14}{held or 'nobody'}", markup=False)


@groups["tables"].command("show")
def tables_show(
    name: str,
    key: Annotated[str, typer.Argument()] = "",
    prefix: Annotated[str, typer.Option()] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    as_json_too: AsJson = False,
) -> None:
    """Show one row of table NAME, or a page of them."""
    path = f"/tables/{name}/{key}" if key else f"/tables/{name}?limit={limit}&prefix={prefix}"
    found = run(ask(running_instance(), path))
    if as_json_too or key:
        as_json(found)
        return
    for row in found["rows"]:
        state = msgspec.json.encode(row["state"]).decode()
        out.print(f"{row['key']}  {state[:200]}", markup=False)
    if found["next"]:
        out.print(f"... more after {found['next']}", markup=False)


@groups["faults"].command("show")
def faults_show(as_json_too: AsJson = False) -> None:
    """Show what the external systems do wrong now."""
    config = running_instance()
    found = {
        system: run(fault_switches.get(getattr(config, f"{system}_url")))
        for system in fault_switches.EXTERNAL_SYSTEMS
    }
    as_json(found) if as_json_too else show_faults(found, out)


@groups["faults"].command("set")
def faults_set(
    system: str,
    rates: Annotated[list[str], typer.Argument(help="Such as decline=0.2 timeout=0.1")],
    as_json_too: AsJson = False,
) -> None:
    """Set faults of PARTY (provider or carrier): rates from 0 to 1."""
    if system not in fault_switches.EXTERNAL_SYSTEMS:
        fail(f"no such party: {system}; there are {', '.join(fault_switches.EXTERNAL_SYSTEMS)}", 2)
    config = running_instance()
    try:
        record = fault_switches.parse(",".join(f"{system}.{rate}" for rate in rates))[system]
    except fault_switches.FaultError as error:
        fail(str(error), 2)
    found = {system: run(fault_switches.put(getattr(config, f"{system}_url"), record))}
    as_json(found) if as_json_too else show_faults(found, out)
