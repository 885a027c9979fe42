"""The simulation notices: with a promise taken out of the engine, seeds fail that pass with it."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.simulation.broken import BROKEN, broken
from tests.simulation.shrink import shrink
from tests.support.simulation.scenario import check, run_scenario

SEEDS_MAX = 1_500
"""As many seeds as `make test` runs may be needed to notice."""
BEGIN = {"not_put_again": 400}
"""Where a search begins that only one seed in hundreds ends: 419 does, before it none."""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all seeds."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def first_failing(loop: asyncio.AbstractEventLoop, begin: int = 0) -> int | None:
    """Return the first seed from `begin` whose scenario breaks a promise, or None."""
    for seed in range(begin, begin + SEEDS_MAX):
        try:
            check(run_scenario(seed, loop), seed)
        except AssertionError:
            return seed
    return None


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_engine_is_noticed(name: str, loop: asyncio.AbstractEventLoop) -> None:
    """Some of the seeds that all pass with the engine as it is fail with the broken one."""
    with broken(name):
        assert first_failing(loop, BEGIN.get(name, 0)) is not None


def test_a_failing_scenario_is_shrunk_to_its_faults(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Hypothesis leaves out what the failure does not need; what is left still fails."""
    with broken("produced_before_stored"):
        seed = first_failing(loop)
        assert seed is not None
        whole = run_scenario(seed, loop).troubles.struck
        failure = shrink(seed, loop)
        assert failure is not None
        small = failure[0]
        world = run_scenario(seed, loop, frozenset(number for number, _ in small))
        with pytest.raises(AssertionError, match=f"seed {seed}"):
            check(world, seed)

    assert len(small) < len(whole) / 2
    assert small == world.troubles.struck


def test_a_scenario_that_passes_cannot_be_shrunk(loop: asyncio.AbstractEventLoop) -> None:
    """There is nothing to explain."""
    assert shrink(0, loop) is None
