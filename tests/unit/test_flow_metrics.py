"""Flow metrics: rates between two readings, drift from what is declared, bounds of steps."""

from typing import Any

import pytest

from app.console.api.context import ApiContext
from app.console.api.flow_metrics import FlowMetrics, _read
from app.console.pages.flow import drawing_of
from app.registry import load_agents
from app.worker.discovery import Directory
from tests.support.console import CONFIG, FakeWorker

CONSUMED = 'payflow_events_total{service="payment",room="payment",topic="%s"} %d\n'
EMITTED = 'payflow_told_total{service="payment",topic="payments"} %d\n'
STEPS = "".join(
    f'payflow_step_seconds_bucket{{service="payment",room="payment",le="{le}"}} {count}\n'
    for le, count in (("0.1", 50), ("1.0", 98), ("+Inf", 100))
)


def metrics(received: int, emitted: int = 0, topic: str = "orders") -> str:
    return (
        "# TYPE payflow_events counter\n"
        + CONSUMED % (topic, received)
        + "# TYPE payflow_told counter\n"
        + EMITTED % emitted
        + "# TYPE payflow_step_seconds histogram\n"
        + STEPS
    )


class Watched(FlowMetrics):
    """Flow metrics of workers that report what a test gives them."""

    def __init__(self) -> None:
        load_agents()
        self.at_s = 100.0
        self.said: dict[str, str] = {}
        super().__init__(
            ApiContext(FakeWorker(), FakeWorker(), Directory(), CONFIG), lambda: self.at_s
        )

    async def _ask_all(self) -> dict[str, Any]:
        return {url: _read(text) for url, text in self.said.items()}

    async def _behind(self) -> dict[str, tuple[int, float | None]]:
        return {"payment": (7, 1.5)}

    async def after(self, seconds: float, **text_by_worker: str) -> dict[str, Any]:
        self.at_s += seconds
        self.said = text_by_worker
        return await self.query()


def edge(flow: dict[str, Any], side: str, topic: str) -> Any:
    (only,) = [e for e in flow[side] if (e.topic, e.who) == (topic, "payment")]
    return only


async def test_a_rate_is_what_came_between_two_readings() -> None:
    """Of all workers together; one that began again counts from nothing."""
    flow_metrics = Watched()
    first = await flow_metrics.after(0, a=metrics(100), b=metrics(10))
    second = await flow_metrics.after(10, a=metrics(130), b=metrics(5))

    assert edge(first, "consumed", "orders").rate is None
    assert (135, 3.5) == (
        edge(second, "consumed", "orders").total,
        edge(second, "consumed", "orders").rate,
    )


@pytest.mark.parametrize("answer", ["{", "payflow_events_total many\n", "<html>"])
async def test_a_worker_that_answers_with_no_metrics_takes_nothing_from_the_others(
    answer: str,
) -> None:
    """It counts as one that does not answer."""
    flow = await Watched().after(0, a=answer, b=metrics(10))

    assert 10 == edge(flow, "consumed", "orders").total


async def test_nobody_is_asked_again_at_once() -> None:
    """Two clients at the same time cost one reading."""
    flow_metrics = Watched()
    await flow_metrics.after(0, a=metrics(100))
    again = await flow_metrics.after(1, a=metrics(900))

    assert 100 == edge(again, "consumed", "orders").total


async def test_what_was_seen_and_is_not_declared_is_drift() -> None:
    """It is drawn as such; what is declared and was never seen is there too."""
    flow = await Watched().after(0, a=metrics(3, topic="somewhere"))
    kinds = {curve.said.partition(":")[0]: curve.kind for curve in drawing_of(flow)["curves"]}

    assert not edge(flow, "consumed", "somewhere").declared
    assert ("drift", "idle") == (kinds["payment and somewhere"], kinds["payment and orders"])


async def test_steps_and_services_say_how_they_stand() -> None:
    """Bounds of buckets, lag in events and seconds, a service without a worker."""
    flow = await Watched().after(0, a=metrics(3))
    (step,) = [step for step in flow["steps"] if step.agent == "payment"]
    (payment,) = [each for each in flow["services"] if each.name == "payment"]

    assert (100, 0.1, 1.0, None) == (step.events, step.p50, step.p95, step.p99)
    assert (0, 7, 1.5) == (payment.workers, payment.lag, payment.lag_seconds)


async def test_a_service_that_set_batches_aside_says_so() -> None:
    """The page draws a line of it; the dead letters say where they lie."""
    text = 'payflow_unreadable_batches_total{service="payment",topic="orders"} 2\n'
    flow = await Watched().after(0, a="# TYPE payflow_unreadable_batches counter\n" + text)

    assert {"payment": 2.0} == {e.name: e.unreadable for e in flow["services"] if e.unreadable}


@pytest.mark.parametrize("text", ["", "# nothing\n"])
async def test_a_worker_that_says_nothing_is_no_trouble(text: str) -> None:
    """All that is declared is drawn all the same."""
    flow = await Watched().after(0, a=text)

    assert flow["produced"]
    assert {0.0} == {e.total for e in (*flow["produced"], *flow["consumed"])}
