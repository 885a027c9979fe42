"""`payflow watch`: the live figures in a terminal, once a second: what the page shows."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import aiohttp
import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli_find import as_json, ask, house, out, run
from app.config import Config

LOOK_SECONDS = 1.0
SHOWN_SECONDS = 60
COUNTRIES_SHOWN = 5
BARS = "▁▂▃▄▅▆▇█"
TOTALS = (
    ("placed", "orders"),
    ("paid", "payments"),
    ("reserved", "reserved"),
    ("confirmed", "confirmed"),
    ("shipped", "shipments"),
    ("delivered", "delivered"),
    ("completed", "completed"),
    ("cancelled", "cancelled"),
    ("open", "open"),
    ("stock-outs", "stock_outs"),
    ("fraud found", "fraud_detected"),
    ("cleared", "fraud_cleared"),
)
MONEY = (("revenue", "revenue_minor"), ("refunds", "refunds_minor"))


def watch(
    *,
    once: Annotated[bool, typer.Option(help="Look once, and end.")] = False,
    as_json_too: Annotated[bool, typer.Option("--json", help="One look as JSON.")] = False,
) -> None:
    """Show the live figures, each service's lag and who is alive, until Ctrl-C."""
    config = house()
    if as_json_too:
        as_json(run(_look(config)))
    elif once:
        out.print(shown(run(_look(config)), {}))
    else:
        run(_watch(config))


async def _watch(config: Config) -> None:
    pace = Pace()
    with Live(console=out, auto_refresh=False, screen=out.is_terminal) as live:
        while True:
            look = await _look(config)
            pace.note(time.monotonic(), look["figures"]["totals"])
            live.update(shown(look, pace.rates()), refresh=True)
            await asyncio.sleep(LOOK_SECONDS)


async def _look(config: Config) -> dict[str, Any]:
    """Return figures, workers, and by service how many events it is behind."""
    figures, ready = await asyncio.gather(ask(config, "/figures"), ask(config, "/readyz"))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        lags = await asyncio.gather(*(_lag(session, each["url"]) for each in ready["workers"]))
    workers = [each | {"lag_events": lag} for each, lag in zip(ready["workers"], lags, strict=True)]
    return {"figures": figures, "workers": workers}


async def _lag(session: aiohttp.ClientSession, url: str) -> int | None:
    try:
        async with session.get(f"{url}/metrics") as answer:
            return lag_in(await answer.text())
    except (aiohttp.ClientError, TimeoutError):
        return None


def lag_in(metrics: str) -> int:
    """Return how many events a worker is behind, by its own `metrics`."""
    families = text_string_to_metric_families(metrics)
    found = [family.samples for family in families if family.name == "payflow_event_lag"]
    return int(sum(sample.value for samples in found for sample in samples))


class Pace:
    """How fast totals grow: each second of the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[str, int]]] = deque(maxlen=SHOWN_SECONDS + 1)

    def note(self, at: float, totals: Mapping[str, int]) -> None:
        """Note `totals` at `at` seconds."""
        self._seen.append((at, dict(totals)))

    def rates(self) -> dict[str, list[float]]:
        """Return by name how many came a second, the oldest first."""
        pairs = list(zip(self._seen, list(self._seen)[1:], strict=False))
        names = {name for _, totals in self._seen for name in totals}
        return {
            name: [
                (after.get(name, 0) - before.get(name, 0)) / max(later - earlier, 1e-9)
                for (earlier, before), (later, after) in pairs
            ]
            for name in names
        }


def bars(values: Sequence[float]) -> str:
    """Return `values` as a line of bars, the largest the highest."""
    most = max(values, default=0.0)
    if most <= 0:
        return BARS[0] * len(values)
    top = len(BARS) - 1
    return "".join(BARS[round(max(value, 0.0) / most * top)] for value in values)


def shown(look: Mapping[str, Any], rates: Mapping[str, Sequence[float]]) -> RenderableType:
    """Return one look as tables."""
    figures = look["figures"]
    return Group(
        _totals(figures, rates),
        Columns([_workers(look["workers"]), _countries(figures["countries"])], padding=(0, 4)),
    )


def _totals(figures: Mapping[str, Any], rates: Mapping[str, Sequence[float]]) -> Table:
    totals = figures["totals"]
    table = Table("", "total", "a second", "the last minute", box=None)
    for columns in table.columns[1:3]:
        columns.justify = "right"
    for name, key in TOTALS:
        recent = rates.get(key, ())
        pace = f"{recent[-1]:.1f}" if recent else "-"
        table.add_row(name, f"{totals.get(key, 0):,}", pace, bars(recent))
    for name, key in MONEY:
        table.add_row(name, f"{totals.get(key, 0) / 100:,.2f}", "", bars(rates.get(key, ())))
    for percent, ms in figures["to_shipped_ms"].items():
        table.add_row(f"to shipped, {percent}", "-" if ms is None else f"≤ {ms:,} ms")
    return table


def _workers(workers: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("service", "pid", "", "behind", box=None)
    for each in sorted(workers, key=lambda one: (one["service"], one["pid"])):
        state = Text("✔ ready", "green") if each["ready"] else Text("… not ready", "yellow")
        lag = "?" if each["lag_events"] is None else f"{each['lag_events']} events"
        table.add_row(Text(each["service"]), str(each["pid"]), state, lag)
    return table


def _countries(countries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("country", "orders", "revenue", box=None)
    for each in countries[:COUNTRIES_SHOWN]:
        money = f"{each.get('revenue_minor', 0) / 100:,.2f}"
        table.add_row(Text(each["country"]), f"{each.get('orders', 0):,}", money)
    return table
