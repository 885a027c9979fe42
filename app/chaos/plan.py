"""The steps of a drill, drawn from a seed. Pure."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import msgspec

from app.chaos.size import FULL, DrillSize
from app.worker.crash_points import CHECKPOINTS
from workflows.shared.errors import ErrorKind, PayflowError


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: its service, and a detail of its own."""

    fault: str
    target: str = ""
    """The service concerned; empty: all, or an external system."""
    detail: str = ""


EVERYBODY = (
    "broker_kill",
    "broker_unreachable",
    "broker_frozen",
    "provider_declines",
    "provider_rate_limits",
    "provider_error_before",
    "provider_error_after",
    "provider_timeout",
    "provider_slow",
    "provider_down",
    "captures_declined",
    "holds_expire",
    "refunds_wait",
    "refunds_fail",
    "webhooks_late",
    "webhooks_doubled",
    "webhooks_lost",
    "webhooks_forged",
    "carrier_errors",
    "carrier_refuses",
    "carrier_down",
    "repeating_producer",
    "hostile_producer",
    "hot_key",
)
"""Faults of no particular service, once each."""
ONE_SERVICE = {
    "term_in_rebalance": 2,
    "join_and_leave": 2,
    "zombie": 1,
    "disk_wiped": 2,
    "disk_damaged": 2,
    "two_on_one_folder": 1,
    "disk_full": 2,
    "backlog": 1,
}
"""Faults of one service, and how often each is injected."""
CRASHES_A_CHECKPOINT = 2
FAULTS = (*EVERYBODY, *ONE_SERVICE, "kill", "crash_point", "clock_step", "mixed")
"""Every fault by name."""
MIXABLE = ("kill", "crash_point", "join_and_leave", "provider_error_after", "webhooks_doubled")


class UnknownFault(PayflowError, ValueError):
    """There is no such fault; the message names the existing ones."""

    kind: ClassVar[ErrorKind] = "invalid"


def plan(seed: int, services: Sequence[str], only: str = "", size: DrillSize = FULL) -> list[Step]:
    """Return the steps of the drill of `seed`: each fault alone, in any order; the mixture last.

    `only` keeps one fault, and `size` so many steps of each. Raises UnknownFault.
    """
    if only and only not in FAULTS:
        raise UnknownFault(f"there is no fault {only!r}; there are {', '.join(sorted(FAULTS))}")
    random = Random(f"payflow drill {seed}")  # noqa: S311  a seed has to replay
    steps = [Step(fault=fault) for fault in EVERYBODY]
    for fault, count in ONE_SERVICE.items():
        steps += [Step(fault=fault, target=name) for name in random.sample(list(services), count)]
    steps += [Step(fault="kill", target=service) for service in services]
    steps += [
        _crash(random, services, checkpoint)
        for checkpoint in CHECKPOINTS
        for _ in range(CRASHES_A_CHECKPOINT)
    ]
    steps += [
        Step(fault="clock_step", target=random.choice(list(services)), detail=by)
        for by in ("+3600", "-3600")
    ]
    random.shuffle(steps)
    steps.append(Step(fault="mixed", detail=str(random.randrange(1 << 31))))
    counts: Counter[str] = Counter()
    selection: list[Step] = []
    for step in steps:
        counts[step.fault] += 1
        if only in {"", step.fault} and counts[step.fault] <= size.times_max:
            selection.append(step)
    return selection


def mixture(seed: str, services: Sequence[str], size: DrillSize) -> list[tuple[float, Step]]:
    """Return steps that overlap, each with the seconds to wait before it."""
    random = Random(f"payflow mixture {seed}")  # noqa: S311  a seed has to replay
    steps: list[tuple[float, Step]] = []
    for _ in range(size.mixed_steps):
        fault = random.choice(MIXABLE)
        step = Step(fault=fault, target=random.choice(list(services)))
        if fault == "crash_point":
            step = _crash(random, services, random.choice(CHECKPOINTS))
        steps.append((random.uniform(0.5, size.mixed_wait_seconds_max), step))
    return steps


def _crash(random: Random, services: Sequence[str], checkpoint: str) -> Step:
    detail = f"{checkpoint}:{random.randint(1, 12)}"
    return Step(fault="crash_point", target=random.choice(list(services)), detail=detail)
