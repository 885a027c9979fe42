"""Reduces a failing scenario to the faults that it needs to fail."""

import asyncio

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from tests.support.simulation.scenario import check, run_scenario

EXAMPLES_MAX = 2_000


def shrink(seed: int, loop: asyncio.AbstractEventLoop) -> tuple[list[tuple[int, str]], str] | None:
    """Return a small set of faults with which `seed` still fails, and how; None: it does not."""
    whole = _failure(seed, loop, None)
    if whole is None:
        return None
    troubles, _ = whole
    numbers = [number for number, _ in troubles]
    # Each fault is kept or not: Hypothesis shrinks true to false where the scenario still fails.
    choices = st.lists(st.booleans(), min_size=len(numbers), max_size=len(numbers))
    fault_numbers = frozenset(numbers)
    try:
        smallest = find(
            choices,
            lambda flags: _failure(seed, loop, _choose(numbers, flags)) is not None,
            settings=settings(
                max_examples=EXAMPLES_MAX,
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            ),
        )
        fault_numbers = _choose(numbers, smallest)
    except NoSuchExample:
        # Only all of them together fail: that is the smallest set then.
        pass
    return _failure(seed, loop, fault_numbers) or whole


def _choose(numbers: list[int], flags: list[bool]) -> frozenset[int]:
    return frozenset(number for number, flag in zip(numbers, flags, strict=True) if flag)


def _failure(
    seed: int, loop: asyncio.AbstractEventLoop, fault_numbers: frozenset[int] | None
) -> tuple[list[tuple[int, str]], str] | None:
    """Return the faults that occurred and what broke, or None when nothing failed."""
    world = None
    try:
        world = run_scenario(seed, loop, fault_numbers)
        check(world, seed)
    except AssertionError as error:
        struck = world.troubles.struck if world is not None else []
        return struck, str(error)
    return None
