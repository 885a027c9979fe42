"""How the house beats: rates between two looks, drift from what is declared, bounds of steps."""

from typing import Any

import pytest

from app.composition import open_rooms
from app.console.api.context import Desk
from app.console.api.flow_metrics import Pulse, _read
from app.console.pages.flow import drawn
from app.worker.discovery import Directory
from tests.unit.test_api import CONFIG, FakeHouse

HEARD = 'payflow_events_total{service="payment",room="payment",topic="%s"} %d\n'
TOLD = 'payflow_told_total{service="payment",topic="payments"} %d\n'
STEPS = "".join(
    f'payflow_step_seconds_bucket{{service="payment",room="payment",le="{le}"}} {count}\n'
    for le, count in (("0.1", 50), ("1.0", 98), ("+Inf", 100))
)


def metrics(heard: int, told: int = 0, topic: str = "orders") -> str:
    return (
        "# TYPE payflow_events counter\n"
        + HEARD % (topic, heard)
        + "# TYPE payflow_told counter\n"
        + TOLD % told
        + "# TYPE payflow_step_seconds histogram\n"
        + STEPS
    )


class Watched(Pulse):
    """A pulse of workers that say what they are told to."""

    def __init__(self) -> None:
        open_rooms()
        self.at_s = 100.0
        self.said: dict[str, str] = {}
        super().__init__(Desk(FakeHouse(), Directory(), CONFIG), lambda: self.at_s)

    async def _ask_all(self) -> dict[str, Any]:
        return {url: _read(text) for url, text in self.said.items()}

    async def _behind(self) -> dict[str, tuple[int, float | None]]:
        return {"payment": (7, 1.5)}

    async def after(self, seconds: float, **said: str) -> dict[str, Any]:
        self.at_s += seconds
        self.said = said
        return await self.look()


def edge(found: dict[str, Any], side: str, topic: str) -> Any:
    (only,) = [e for e in found[side] if (e.topic, e.who) == (topic, "payment")]
    return only


async def test_a_rate_is_what_came_between_two_looks() -> None:
    """Of all workers together; one that began again counts from nothing."""
    pulse = Watched()
    first = await pulse.after(0, a=metrics(100), b=metrics(10))
    second = await pulse.after(10, a=metrics(130), b=metrics(5))

    assert edge(first, "heard", "orders").rate is None
    assert (135, 3.5) == (
        edge(second, "heard", "orders").total,
        edge(second, "heard", "orders").rate,
    )


async def test_nobody_is_asked_again_at_once() -> None:
    """Two who look at the same time cost one look."""
    pulse = Watched()
    await pulse.after(0, a=metrics(100))
    again = await pulse.after(1, a=metrics(900))

    assert 100 == edge(again, "heard", "orders").total


async def test_what_was_seen_and_is_not_declared_is_drift() -> None:
    """It is drawn as such; what is declared and was never seen is there too."""
    found = await Watched().after(0, a=metrics(3, topic="somewhere"))
    kinds = {curve.said.partition(":")[0]: curve.kind for curve in drawn(found)["curves"]}

    assert not edge(found, "heard", "somewhere").declared
    assert ("drift", "idle") == (kinds["payment and somewhere"], kinds["payment and orders"])


async def test_steps_and_services_say_how_they_stand() -> None:
    """Bounds of buckets, lag in events and seconds, a service without a worker."""
    found = await Watched().after(0, a=metrics(3))
    (step,) = [step for step in found["steps"] if step.room == "payment"]
    (payment,) = [each for each in found["services"] if each.name == "payment"]

    assert (100, 0.1, 1.0, None) == (step.events, step.p50, step.p95, step.p99)
    assert (0, 7, 1.5) == (payment.workers, payment.lag, payment.lag_seconds)


@pytest.mark.parametrize("text", ["", "# nothing\n"])
async def test_a_worker_that_says_nothing_is_no_trouble(text: str) -> None:
    """All that is declared is drawn all the same."""
    found = await Watched().after(0, a=text)

    assert found["told"]
    assert {0.0} == {e.total for e in (*found["told"], *found["heard"])}
