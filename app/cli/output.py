"""How the commands show things to people."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.operations.search.record_view import RecordView

LINE_EVERY = 5
"""Without a terminal, one line of progress for so many updates."""


@contextmanager
def progress(console: Console) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that shows changing figures: a table, or lines without a terminal."""
    if not console.is_terminal:
        queries = 0

        def line(figures: dict[str, Any]) -> None:
            nonlocal queries
            queries += 1
            if queries % LINE_EVERY == 1:
                console.print(_described(figures), markup=False)

        yield line
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda figures: live.update(_as_table(figures))


def _described(figures: dict[str, Any]) -> str:
    totals = figures["totals"]
    names = ("orders", "completed", "cancelled", "open")
    said = ", ".join(f"{totals.get(name, 0)} {name}" for name in names)
    return f"         {said} of {figures.get('planned', '?')}"


def _as_table(figures: dict[str, Any]) -> Table:
    totals = figures["totals"]
    table = Table.grid(padding=(0, 3))
    planned = figures.get("planned", 0)
    rows = (
        ("orders placed", f"{totals.get('orders', 0)} of {planned}"),
        ("completed", totals.get("completed", 0)),
        ("cancelled", totals.get("cancelled", 0)),
        ("open", totals.get("open", 0)),
        ("revenue", _money(totals.get("revenue_minor", 0))),
        ("refunds", _money(totals.get("refunds_minor", 0))),
        ("stock-outs", totals.get("stock_outs", 0)),
        ("fraud found", totals.get("fraud_detected", 0)),
        ("to shipped, p95", f"{figures['to_shipped_ms']['p95'] or '-'} ms"),
    )
    for name, value in rows:
        table.add_row(name, Text(str(value), justify="right"))
    return table


def _money(minor: int) -> str:
    return f"{minor / 100:,.2f}"


def show_dead_letter(dead_letter: RecordView, console: Console) -> None:
    """Print one dead letter: headers, key, what it decodes to, bytes."""
    lines = {
        **dead_letter.headers,
        "key": dead_letter.key,
        "decoded": dead_letter.error or dead_letter.body,
        "bytes": dead_letter.text[:2_000],
    }
    for name, value in lines.items():
        console.print(f"{name:<20}{value}", markup=False)


def show_faults(found: dict[str, dict[str, Any]], console: Console) -> None:
    """Print the faults of each external system on a line."""
    for system, rates in found.items():
        said = ", ".join(f"{name}={value}" for name, value in rates.items())
        console.print(f"{system}: {said}", markup=False)
