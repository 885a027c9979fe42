"""What a terminal shows of the live figures."""

import io
import re

from rich.console import Console

from app.cli.watch import Pace, bars, figures_view

REVENUE = {
    "revenue_minor/GBP": 56_789,
    "revenue_minor/JPY": 1_250,
    "revenue_minor/KWD": 1_230,
}
VIEW = {
    "figures": {
        "totals": {"orders": 1_234, **REVENUE},
        "to_shipped_ms": {"p50": 250, "p95": None, "p99": None},
        "open_orders": {"payment": {"waiting": 77, "compensating": 0, "stuck": 1}},
        "countries": [{"country": "[red]Land", "orders": 7, "revenue_minor": 100}],
    },
    "workers": [
        {"service": "fraud", "pid": 7, "ready": True, "url": ""},
        {"service": "order", "pid": 8, "ready": False, "url": ""},
    ],
    "services": [
        {"name": "fraud", "lag": 3, "lag_seconds": 0.25, "retries": 2.0, "failures": 0.0},
        {"name": "ledger", "lag": None, "lag_seconds": None, "retries": 0.0, "failures": 0.0},
        {"name": "order", "lag": 0, "lag_seconds": 0.0, "retries": 0.0, "failures": 9.0},
    ],
    "steps": [
        {"agent": "fraud", "events": 5.0, "p50": 0.025, "p95": 2.5, "p99": None},
        {"agent": "risk", "events": 0.0, "p50": None, "p95": None, "p99": None},
    ],
}
SAID = (
    "1,234",
    "2.5",
    "567.89 GBP",
    "1,250 JPY",
    "1.230 KWD",
    "100 minor units",
    "≤ 250 ms",
    "[red]Land",
    "3 events",
    "1 ready",
    "0 ready, not 8",
    "none",
    "≤ 2.5 s",
    "longer",
    "compensating",
    "77",
)


def test_rates_are_of_the_time_between_two_readings() -> None:
    """A total that was not there before has grown from nothing."""
    pace = Pace()
    pace.note(10.0, {"orders": 4})
    pace.note(12.0, {"orders": 10, "completed": 2})
    pace.note(13.0, {"orders": 10, "completed": 3})

    assert {"orders": [3.0, 0.0], "completed": [1.0, 1.0]} == pace.rates()


def test_bars_are_as_high_as_the_highest() -> None:
    """None where nothing came."""
    assert "▁▅█" == bars([0.0, 2.0, 4.0])
    assert "▁▁" == bars([0.0, 0.0])
    assert "" == bars([])


def test_everything_is_shown_and_nothing_obeyed() -> None:
    """Names come from outside: no markup of theirs is read."""
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(figures_view(VIEW, {"orders": [1.0, 2.5]}))
    text = console.export_text()

    assert [] == [part for part in SAID if part not in text]


def test_the_figures_by_country_are_those_that_the_workflow_shows() -> None:
    """What it calls them, and as many as it has: nothing here knows one."""
    console = Console(width=160, record=True, file=io.StringIO())
    refunds = {"refunds_minor/GBP": 12_345, "refunds_minor/JPY": 5}
    country = {"country": "France", "orders": 7, "cancelled": 3, **refunds}
    console.print(
        figures_view({**VIEW, "figures": {**VIEW["figures"], "countries": [country]}}, {})
    )
    text = console.export_text()

    assert re.search(r"country +orders +completed +cancelled +revenue +refunds", text)
    assert re.search(r"France +7 +0 +3 +- +123\.45 GBP, 5 JPY", text)
