"""The size of a drill: half an hour of faults, or each fault once in a few minutes. Pure."""

import msgspec

from app.kafka.groups import REQUEST_SECONDS, SESSION_SECONDS


class DrillSize(msgspec.Struct, frozen=True, kw_only=True):
    """Waits in seconds, counts, and rates per second; the defaults are those of `make chaos`."""

    times_max: int = 100
    """How often one fault is injected at most."""
    rest_seconds: float = 3.0
    """Between two faults, so that their effects can be distinguished."""
    drain_seconds_max: float = 900.0
    mixed_steps: int = 12
    mixed_wait_seconds_max: float = 5.0
    joining_seconds_max: float = 3.0
    stay_seconds: float = 8.0
    """How long a second worker stays in the group."""
    sleep_seconds: float = 2 * SESSION_SECONDS + 2
    """How long a worker is frozen: past its session."""
    clock_seconds: float = 12.0
    external_seconds: float = 12.0
    provider_down_seconds: float = 120.0
    carrier_down_seconds: float = 30.0
    unreachable_seconds: float = 60.0
    frozen_seconds: float = REQUEST_SECONDS + 5
    """How long the broker is frozen: past the time-out of any request."""
    outlive_seconds: float = 5.0
    """How long workers are watched once the broker is back: only now they learn of its absence."""
    repeated_max: int = 20_000
    repeat_delay_seconds_max: float = 5.0
    backlog_events: int = 100_000
    caught_up_events: int = 2_000
    hot_orders: int = 300
    hot_rate: float = 60.0
    hostile_seconds: float = 60.0
    """How long a hostile producer writes, but at least once to every topic."""
    hostile_pause_seconds: float = 0.3
    """Between two of its transactions."""


FULL = DrillSize()
SMALL = DrillSize(
    times_max=1,
    rest_seconds=0.5,
    # Below the shortest deadline of an order, so that an order which lost a message is still open.
    drain_seconds_max=240.0,
    mixed_steps=3,
    mixed_wait_seconds_max=1.0,
    joining_seconds_max=2.0,
    stay_seconds=2.0,
    sleep_seconds=SESSION_SECONDS + 2,
    clock_seconds=3.0,
    external_seconds=3.0,
    provider_down_seconds=4.0,
    carrier_down_seconds=4.0,
    unreachable_seconds=5.0,
    # Longer than the session of every worker, shorter than the time-out of a request.
    frozen_seconds=SESSION_SECONDS + 2,
    repeated_max=1_000,
    repeat_delay_seconds_max=0.5,
    backlog_events=1_000,
    caught_up_events=100,
    hot_orders=40,
    hot_rate=20.0,
    hostile_seconds=4.0,
    hostile_pause_seconds=0.05,
)
"""The drill of `make test`."""
