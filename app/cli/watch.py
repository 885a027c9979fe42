"""`payflow watch`: the live figures of the live page in a terminal, once a second."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli.instance import as_json, ask, out, run, running_instance
from app.config import Config
from app.registry import live_figures
from workflows.shared.figures import LiveFigures, amounts_of, amounts_shown, figure_of
from workflows.shared.money import money

CHECK_SECONDS = 1.0
SHOWN_SECONDS = 60
COUNTRIES_SHOWN = 5
BARS = "▁▂▃▄▅▆▇█"


def watch(
    *,
    once: Annotated[bool, typer.Option(help="Show the figures once, and end.")] = False,
    as_json_too: Annotated[bool, typer.Option("--json", help="Show them once, as JSON.")] = False,
) -> None:
    """Show the live figures, and the lag and workers of each service, until Ctrl-C."""
    config = running_instance()
    if as_json_too:
        as_json(run(_check_once(config)))
    elif once:
        out.print(figures_view(run(_check_once(config)), {}))
    else:
        run(_watch(config))


async def _watch(config: Config) -> None:
    pace = Pace()
    with Live(console=out, auto_refresh=False, screen=out.is_terminal) as live:
        while True:
            answers = await _check_once(config)
            pace.note(time.monotonic(), answers["figures"]["totals"])
            live.update(figures_view(answers, pace.rates()), refresh=True)
            await asyncio.sleep(CHECK_SECONDS)


async def _check_once(config: Config) -> dict[str, Any]:
    """Return figures, workers, durations of steps, and the lag of each service."""
    names = ("figures", "readyz", "flow-metrics")
    figures, ready, flow_metrics = await asyncio.gather(
        *(ask(config, f"/{name}") for name in names)
    )
    services = {"services": flow_metrics["services"], "steps": flow_metrics["steps"]}
    return {"figures": figures, "workers": ready["workers"], **services}


class Pace:
    """The growth of totals in each second of the last minute."""

    def __init__(self) -> None:
        self._totals: deque[tuple[float, dict[str, int]]] = deque(maxlen=SHOWN_SECONDS + 1)

    def note(self, at: float, totals: Mapping[str, int]) -> None:
        """Note `totals` at `at` seconds."""
        self._totals.append((at, dict(totals)))

    def rates(self) -> dict[str, list[float]]:
        """Return the increase per second by name, the oldest first."""
        pairs = list(zip(self._totals, list(self._totals)[1:], strict=False))
        names = {name for _, totals in self._totals for name in totals}
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


def figures_view(
    answers: Mapping[str, Any], rates: Mapping[str, Sequence[float]]
) -> RenderableType:
    """Return the figures as tables."""
    figures = answers["figures"]
    _, *further = live_figures().items()
    return Group(
        Columns([_totals(figures, rates), _open_orders(figures["open_orders"])], padding=(0, 4)),
        Columns([_services(answers), _steps(answers["steps"])], padding=(0, 4)),
        _countries(figures["countries"]),
        *(_further(name, shape, figures) for name, shape in further),
    )


def _totals(figures: Mapping[str, Any], rates: Mapping[str, Sequence[float]]) -> Table:
    totals = figures["totals"]
    table = Table("", "total", "per second", "the last minute", box=None)
    for columns in table.columns[1:3]:
        columns.justify = "right"
    shape = next(iter(live_figures().values()))
    for name, key in shape.watched:
        if key.endswith("_minor"):
            for currency, minor in amounts_of(totals, key).items():
                pace_of = rates.get(figure_of(key, currency), ())
                table.add_row(name, money(minor, currency), "", bars(pace_of))
            continue
        recent = rates.get(key, ())
        pace = f"{recent[-1]:.1f}" if recent else "-"
        table.add_row(name, f"{totals.get(key, 0):,}", pace, bars(recent))
    for percent, ms in figures[shape.latency].items():
        until = shape.latency.removesuffix("_ms").replace("_", " ")
        table.add_row(f"{until}, {percent}", "-" if ms is None else f"≤ {ms:,} ms")
    return table


def _further(name: str, shape: LiveFigures, figures: Mapping[str, Any]) -> RenderableType:
    """Return totals and open transactions of a further workflow."""
    totals = figures["workflows"].get(name, {})
    table = Table(name, "total", box=None)
    table.columns[1].justify = "right"
    for title, key in shape.totals:
        table.add_row(title, _cell(key, totals))
    waiting = figures.get("open_by_workflow", {}).get(name, {})
    return Columns([table, _open_orders(waiting, name)], padding=(0, 4))


def _open_orders(order_statuses: Mapping[str, Mapping[str, int]], title: str = "orders") -> Table:
    """Return the steps for which open transactions wait, by status."""
    statuses = next(iter(order_statuses.values()), {})
    table = Table(f"open {title} wait for", *statuses, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for step, counts in order_statuses.items():
        style = "red" if counts.get("stuck") else None
        table.add_row(step, *(f"{count:,}" for count in counts.values()), style=style)
    return table


def _services(answers: Mapping[str, Any]) -> Table:
    """Return each service with its workers; one that is not ready is named by its pid."""
    table = Table("service", "workers", "behind", "for", "tried again", "failed", box=None)
    for each in answers["services"]:
        theirs = [worker for worker in answers["workers"] if worker["service"] == each["name"]]
        away = [str(worker["pid"]) for worker in theirs if not worker["ready"]]
        ready = f"{len(theirs) - len(away)} ready"
        state = Text(f"{ready}, not {' '.join(away)}", "yellow") if away else Text(ready, "green")
        table.add_row(
            Text(each["name"]),
            state if theirs else Text("none", "red"),
            "?" if each["lag"] is None else f"{each['lag']:,} events",
            _span(each["lag_seconds"]),
            f"{each['retries']:,.0f}",
            f"{each['failures']:,.0f}",
        )
    return table


def _steps(steps: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("step", "p50", "p95", "p99", box=None)
    for each in steps:
        bounds = (each[name] for name in ("p50", "p95", "p99"))
        cells = ("longer" if bound is None else f"≤ {_span(bound)}" for bound in bounds)
        table.add_row(Text(each["agent"]), *(cells if each["events"] else ("-", "-", "-")))
    return table


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds * 1_000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _countries(countries: Sequence[Mapping[str, Any]]) -> Table:
    shape = next(iter(live_figures().values()))
    table = Table("country", *(title for title, _ in shape.by_country), box=None)
    for each in countries[:COUNTRIES_SHOWN]:
        cells = (_cell(key, each) for _, key in shape.by_country)
        table.add_row(Text(each["country"]), *cells)
    return table


def _cell(key: str, figures: Mapping[str, int]) -> str:
    return amounts_shown(figures, key) if key.endswith("_minor") else f"{figures.get(key, 0):,}"
