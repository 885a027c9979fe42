"""`payflow orders`: plays orders from a file."""

import asyncio
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from app.cli.instance import AsJson, as_json, err, out, run, running_instance
from app.cli.output import progress
from app.local.importers.player import ORDERS_PER_SECOND, Loaded, Player, read_plan

Rate = Annotated[float, typer.Option(min=0.1, max=1_000, help="Orders per second.")]


def load(
    file: Annotated[Path, typer.Argument(help="In the form of Online Retail; see data/README.md.")],
    rate: Rate = ORDERS_PER_SECOND,
    *,
    as_json_too: AsJson = False,
) -> None:
    """Play FILE through the API of the running instance, stock included."""
    loaded = run(_load(file, rate))
    if as_json_too:
        as_json(loaded)
    else:
        rows = ", ".join(f"{count} {name}" for name, count in loaded.rows.items())
        out.print(f"{loaded.rows_read} rows: {rows}; {loaded.orders_asked} orders placed")


async def _load(file: Path, rate: float) -> Loaded:
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
