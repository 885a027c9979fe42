"""What a terminal shows of the live figures."""

import io

from rich.console import Console

from app.cli_watch import Pace, bars, lag_in, shown

METRICS = """# HELP payflow_event_lag Events not yet read through.
# TYPE payflow_event_lag gauge
payflow_event_lag{partition="0",service="fraud",topic="payments"} 3.0
payflow_event_lag{partition="1",service="fraud",topic="payments"} 4.0
# HELP other Something.
# TYPE other gauge
other 9.0
"""
LOOK = {
    "figures": {
        "totals": {"orders": 1_234, "revenue_minor": 56_789},
        "to_shipped_ms": {"p50": 250, "p95": None, "p99": None},
        "countries": [{"country": "[red]Land", "orders": 7, "revenue_minor": 100}],
    },
    "workers": [
        {"service": "fraud", "pid": 7, "ready": True, "lag_events": 3, "url": ""},
        {"service": "order", "pid": 8, "ready": False, "lag_events": None, "url": ""},
    ],
}


def test_the_lag_is_summed_over_partitions() -> None:
    """And over nothing else."""
    assert 7 == lag_in(METRICS)


def test_rates_are_of_the_time_between_two_looks() -> None:
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
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(shown(LOOK, {"orders": [1.0, 2.5]}))
    text = console.export_text()

    for said in ("1,234", "2.5", "567.89", "≤ 250 ms", "[red]Land", "3 events", "not ready", "?"):
        assert said in text
