"""`payflow orders`: plays orders from a file."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import aiohttp
import typer

from app.cli.instance import AsJson, as_json, err, out, run, running_instance
from app.cli.output import progress_line
from app.entrypoints.requests import client_scopes
from app.local.importers.loaded import LoadedFile, outcome_of, report_lines
from app.local.importers.order_file import FileOptions, read_plan
from app.local.importers.player import ORDERS_PER_SECOND, Player
from app.local.importers.receipts import receipts_of
from app.local.importers.retail_file import Plan
from app.local.importers.shop_client import ShopClient
from app.local.instance_folder import client_key

Rate = Annotated[float, typer.Option(min=0.1, max=1_000, help="Orders per second.")]
Dates = Annotated[
    Literal["dmy", "mdy", "ymd"] | None,
    typer.Option(help="Whether 1/2/10 is day, month or year first, where the file does not say."),
]
Decimals = Annotated[
    Literal["point", "comma"] | None,
    typer.Option(help="What begins decimals in 1,200, where the file does not say."),
]
Mapping = Annotated[
    str, typer.Option("--map", help='Columns by other names: "their column=ours,..."')
]
Encoding = Annotated[
    str, typer.Option(help="Such as windows-1250, where it is neither Unicode nor Windows-1252.")
]
Partial = Annotated[
    float,
    typer.Option(
        min=0, max=100, help="Percent of the orders that may ship without what is out of stock."
    ),
]
DryRun = Annotated[bool, typer.Option(help="Read and count the file, and play nothing.")]


def load(  # noqa: PLR0913  each is an option
    file: Annotated[Path, typer.Argument(help="Orders: .csv, .gz or .xlsx; see data/README.md.")],
    rate: Rate = ORDERS_PER_SECOND,
    *,
    dates: Dates = None,
    decimal: Decimals = None,
    columns: Mapping = "",
    encoding: Encoding = "",
    partial: Partial = 0,
    dry_run: DryRun = False,
    as_json_too: AsJson = False,
) -> None:
    """Play FILE through the API of the running instance, stock included."""
    options = file_options(dates, decimal, columns, encoding)
    loaded = run(_counted(file, options) if dry_run else _load(file, options, rate, partial))
    if as_json_too:
        as_json(loaded)
        return
    show(loaded)
    placed = loaded.orders_planned if dry_run else loaded.orders_asked
    out.print(f"{placed} orders {'would be ' * dry_run}placed")


def file_options(
    dates: Literal["dmy", "mdy", "ymd"] | None,
    decimal: Literal["point", "comma"] | None,
    columns: str,
    encoding: str,
) -> FileOptions:
    """Return what the options say of a file."""
    return FileOptions(dates=dates or "", decimal=decimal or "", columns=columns, encoding=encoding)


def show(loaded: LoadedFile) -> None:
    """Print what the file came to, line by line."""
    for line in report_lines(loaded):
        out.print(line, markup=False, soft_wrap=True)


async def _counted(file: Path, options: FileOptions) -> LoadedFile:
    return preview(read_plan(file, options))


def preview(plan: Plan) -> LoadedFile:
    """Return what the plan would come to, and print what would be received."""
    receipts = receipts_of(plan)
    units = sum(item.quantity for receipt in receipts for item in receipt.items)
    err.print(f"{units} units of {len(plan.sold_units)} SKUs would be received")
    return outcome_of(plan)


async def _load(
    file: Path, options: FileOptions, rate: float, partial_percent: float
) -> LoadedFile:
    plan, instance = read_plan(file, options), running_instance()
    with progress_line(err) as show_figures:
        async with aiohttp.ClientSession() as session:
            key = client_key(instance, client_scopes())
            shop = ShopClient(instance, key, session, err.print)
            player = Player(shop, rate, partial_percent=partial_percent)
            await player.receive_stock(receipts_of(plan), err.print)
            playing = asyncio.ensure_future(player.play(plan))
            while not playing.done():
                figures = await shop.get("/figures")
                show_figures({**figures, "doing": f"{player.loaded.orders_planned:,} in the file"})
                await asyncio.wait({playing}, timeout=1)
            return playing.result()
