"""How the commands show things to people."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from app.operations.search.record_view import RecordView
from workflows.shared.figures import amounts_shown

LINE_SECONDS = 30.0
"""Without a terminal, at most one line of progress in so many seconds."""


@contextmanager
def progress_line(
    console: Console, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that shows changing figures on one line, which a terminal updates.

    Without a terminal a line is printed now and then, when it says something new.
    """
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda figures: live.update(_line(figures))
        return
    printed, due = "", clock()

    def line(figures: dict[str, Any]) -> None:
        nonlocal printed, due
        text = _line(figures).plain
        if clock() >= due and text != printed:
            console.print(f"         {text}", markup=False, soft_wrap=True)
            printed, due = text, clock() + LINE_SECONDS

    yield line


def _line(figures: dict[str, Any]) -> Text:
    """Return the figures on one line, which is cut where the terminal ends."""
    totals = figures["totals"]
    names = ("completed", "cancelled", "open")
    counts = ", ".join(f"{totals.get(name, 0):,} {name}" for name in names)
    parts = [
        f"{totals.get('orders', 0):,} orders: {counts}",
        *filter(None, [figures.get("doing", "")]),
        f"revenue {amounts_shown(totals, 'revenue_minor')}",
        f"shipped within {figures['to_shipped_ms']['p95'] or '-'} ms (p95)",
    ]
    return Text("; ".join(parts), no_wrap=True, overflow="ellipsis")


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


def show_faults(faults_by_system: dict[str, dict[str, Any]], console: Console) -> None:
    """Print the faults of each external system on a line."""
    for system, rates in faults_by_system.items():
        rates_text = ", ".join(f"{name}={value}" for name, value in rates.items())
        console.print(f"{system}: {rates_text}", markup=False)
