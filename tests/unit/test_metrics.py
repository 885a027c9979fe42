"""What can be seen from outside: each metric counts what it says, and no label grows."""

import msgspec
import pytest
from prometheus_client import generate_latest

from app.delivery.runtime import BatchResult
from app.registry import load_workflows
from app.wire.envelope import Envelope, child_traceparent
from app.wire.records import Record
from app.worker import metrics
from tests.support.agents import ANSWERS, cancel
from tests.support.samples import filled
from workflows.order.saga_messages import OrderCancelled, OrderCompleted, StepOverdue
from workflows.payment.messages import PaymentFailed, RefundOverdue
from workflows.shared.message import Message, type_name

load_workflows()

BEGAN_MS = 1_000_000


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def envelope(message: Message, at_ms: int = BEGAN_MS, **baggage: str) -> Envelope:
    return Envelope(
        id="e1",
        type=type_name(type(message)),
        source="/test",
        time_ms=at_ms,
        subject="o1",
        correlation_id="o1",
        baggage=baggage,
    )


def agent(name: str):
    """Return an agent nobody else counts for: metrics live as long as the process."""
    return msgspec.structs.replace(ANSWERS, name=name, service=f"service of {name}")


def test_a_batch_is_counted_by_agent_and_topic():
    """Events by home topic, duplicates, size and duration of the batch."""
    here = agent("counting")
    retry = Record(
        topic=f"orders.{here.service}.retry-1s", partition=0, offset=1, key=b"", value=b""
    )
    place = {"service": here.service, "room": here.name}

    metrics.count_batch(here, [cancel(1), retry], BatchResult(duplicates=3), 0.5)

    assert 2 == value("payflow_events_total", topic="orders", **place)
    assert 3 == value("payflow_duplicates_dropped_total", **place)
    assert (1, 2) == (
        value("payflow_batch_events_count", **place),
        value("payflow_batch_events_sum", **place),
    )
    assert 0.5 == value("payflow_batch_seconds_sum", **place)


def test_trouble_is_counted_by_cause_and_never_by_reason():
    """A reason is free text of somebody outside; a million of them would be a million series."""
    here = agent("troubled")
    handled = BatchResult(
        retried=["gateway said <html>", "gateway said no"], dead=[("orders", "not_json")]
    )

    metrics.count_batch(here, [], handled, 0.0)

    place = {"service": here.service, "room": here.name}
    assert 2 == value("payflow_retries_total", **place)
    assert 2 == value("payflow_failures_total", cause="transient", **place)
    assert 1 == value("payflow_failures_total", cause="not_json", **place)
    assert 1 == value(
        "payflow_dead_letters_total", service=here.service, topic="orders", cause="not_json"
    )
    assert "<html>" not in generate_latest(metrics.REGISTRY).decode()


def test_what_is_emitted_is_counted_by_topic_and_overdue_steps_by_step():
    """One message, one count, on the topic it belongs to."""
    here = agent("telling")
    before = value("payflow_steps_overdue_total", step="fraud")
    emitted = [
        PaymentFailed(transaction_id="o1", reason="declined"),
        StepOverdue(order_id="o1", step="fraud", due_at_ms=1),
        filled(RefundOverdue, ""),
    ]
    pending_before = value("payflow_refunds_overdue_total")

    metrics.count_batch(here, [], BatchResult(emitted=emitted), 0.0)

    assert 2 == value("payflow_told_total", service=here.service, topic="payments")
    assert 1 == value("payflow_told_total", service=here.service, topic="sagas")
    assert 1 == value("payflow_steps_overdue_total", step="fraud") - before
    assert 1 == value("payflow_refunds_overdue_total") - pending_before


@pytest.mark.parametrize(
    ("at_ms", "seconds"),
    [
        pytest.param(BEGAN_MS + 250, 0.25, id="a quarter of a second after it was emitted"),
        pytest.param(BEGAN_MS - 80, 0.0, id="a clock behind the producer's takes no time"),
    ],
)
def test_a_step_takes_from_the_event_to_the_answer(at_ms, seconds):
    """By the time in the envelope and the time the agent was through."""
    here = agent(f"stepping {at_ms}")
    message = PaymentFailed(transaction_id="o1", reason="declined")

    metrics.count_batch(
        here, [], BatchResult(applied=[(envelope(message), at_ms)], messages=[message]), 0.0
    )

    assert seconds == value("payflow_step_seconds_sum", service=here.service, room=here.name)


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        pytest.param(OrderCompleted(order_id="o1"), "completed", id="a good end"),
        pytest.param(OrderCancelled(order_id="o1", cause="overdue"), "overdue", id="a cause"),
    ],
)
def test_an_order_takes_from_its_placing_to_its_end(message, outcome):
    """Counted in one agent only, though several receive of the end."""
    before = value("payflow_order_seconds_sum", outcome=outcome)
    ended = envelope(message, BEGAN_MS + 2_000, began_ms=str(BEGAN_MS))
    handled = BatchResult(applied=[(ended, BEGAN_MS + 2_001)], messages=[message])

    metrics.count_batch(agent("elsewhere"), [], handled, 0.0)
    metrics.count_batch(agent(metrics.CLOCK_AGENT), [], handled, 0.0)

    assert 2.0 == value("payflow_order_seconds_sum", outcome=outcome) - before


def test_an_end_without_its_beginning_is_not_timed():
    """An event from before baggage was carried breaks nothing."""
    before = value("payflow_order_seconds_count", outcome="completed")
    message = OrderCompleted(order_id="o1")
    handled = BatchResult(
        applied=[(envelope(message, began_ms="yesterday"), BEGAN_MS)], messages=[message]
    )

    metrics.count_batch(agent(metrics.CLOCK_AGENT), [], handled, 0.0)

    assert before == value("payflow_order_seconds_count", outcome="completed")


def test_lag_of_a_partition_that_moved_away_is_no_longer_reported():
    """Or two processes would report the same partition for ever."""
    metrics.record_lag("lagging", {("orders", 0): 5, ("orders", 1): 7})
    metrics.record_lag("lagging", {("orders", 1): 0})

    exposition = generate_latest(metrics.REGISTRY).decode()

    assert 'partition="0",service="lagging"' not in exposition
    assert 0.0 == metrics.REGISTRY.get_sample_value(
        "payflow_event_lag", {"service": "lagging", "topic": "orders", "partition": "1"}
    )


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "parent",
    [
        pytest.param("", id="none"),
        pytest.param("00-" + "0" * 32 + "-b7ad6b7169203331-01", id="all zero"),
        pytest.param("rubbish\r\nx-evil: 1", id="rubbish"),
    ],
)
def test_a_trace_without_a_parent_is_derived_from_its_step(parent):
    """The same step starts the same trace, another step another one."""
    assert child_traceparent(parent, "a") == child_traceparent("", "a")
    assert child_traceparent(parent, "a") != child_traceparent(parent, "b")


def test_a_trace_goes_on_under_its_parent():
    """Same trace id, a span of its own, the same for every repetition."""
    child = child_traceparent(PARENT, "step")

    assert "0af7651916cd43dd8448eb211c80319c" == child.split("-")[1]
    assert "b7ad6b7169203331" != child.split("-")[2]
    assert child == child_traceparent(PARENT, "step")
