"""A drill goes on after a fault that could not be carried out, and reports it."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from app.chaos import drill
from app.chaos.drill import Drill, Wanted
from app.chaos.instance import DrillError
from app.chaos.plan import Step
from app.chaos.probe import Totals
from app.config import Config

STEP = Step(fault="hot_key")


async def verdict() -> Any:
    """Return the verdict on an instance in which nothing is wrong."""
    return SimpleNamespace(checks=(), started=1, unsettled=0)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(DrillError("nobody moves"), id="what was waited for never came"),
        pytest.param(KafkaTimeoutError("offsets"), id="the broker did not answer in time"),
    ],
)
async def test_a_fault_that_failed_is_a_breach_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Half an hour of other faults is not thrown away for it, and the drill does not pass."""

    async def hot_key(*_: Any) -> float:
        raise error

    monkeypatch.setitem(drill.OUTSIDE, STEP.fault, hot_key)
    monkeypatch.setattr(drill, "REST_SECONDS", 0.0)
    run = Drill(Config(), Wanted(seed=1), lambda _line: None)
    probe: Any = SimpleNamespace(sums=Totals)
    site: Any = None
    load: Any = None

    await run._meet(site, STEP, load, probe, SimpleNamespace(verdict=verdict))  # type: ignore[arg-type]

    (met,) = run._met
    assert ("hot_key", float("inf")) == (met.name, met.recovery_s)
    assert [True] == [str(error) in breach for breach in met.breaches]
