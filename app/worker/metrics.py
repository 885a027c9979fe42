"""The metrics of this process. Names and labels are a contract.

Labels are short and few by design: no id, no key, no free text ever becomes one.
"""

from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from app.delivery.agent import Agent
from app.delivery.runtime import BatchResult
from app.host.logs import configure_logging
from app.wire.records import UNREADABLE, Record
from app.wire.topics import first_topic_of
from workflows.shared import topic, workflow
from workflows.shared.errors import DeclarationError
from workflows.shared.message import Message, type_name

__all__ = ["REGISTRY", "configure_logging", "count_batch", "record_lag"]

LAG_SECONDS = 2.0
"""How often the lag is measured; a scrape is rarely more frequent."""

STEP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Bucket bounds: an idle hop takes 8 ms, a busy one a second, a retried one a minute."""
WORKFLOW_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
BATCH_EVENTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000)
CLOCK_AGENT = "analytics"
"""The agent that measures the duration of a workflow when it receives an end: only one counts."""

events = Counter(
    "payflow_events_total", "Events applied or dead-lettered.", ("service", "room", "topic")
)
event_lag = Gauge(
    "payflow_event_lag", "Events not yet read through.", ("service", "topic", "partition")
)
step_seconds = Histogram(
    "payflow_step_seconds",
    "From the time of an event to the answer of the agent that received it.",
    ("service", "room"),
    buckets=STEP_SECONDS,
)
retries = Counter("payflow_retries_total", "Events sent to retry topics.", ("service", "room"))
failures = Counter(
    "payflow_failures_total", "Events that could not be handled.", ("service", "room", "cause")
)
dead_letters = Counter(
    "payflow_dead_letters_total", "Events dead-lettered.", ("service", "topic", "cause")
)
unreadable_batches = Counter(
    "payflow_unreadable_batches_total",
    "Batches of records that nobody can read, set aside by their offsets.",
    ("service", "topic"),
)
duplicates_dropped = Counter(
    "payflow_duplicates_dropped_total", "Events recognised as known.", ("service", "room")
)
redelivered = Counter(
    "payflow_redelivered_total", "Known events read again from the same place.", ("service", "room")
)
rules_refused = Counter(
    "payflow_fraud_rules_refused_total",
    "Records of the rules topic that were not applied: invalid, forged or repeated.",
)
fraud_verdicts = Counter(
    "payflow_fraud_verdicts_total",
    "Verdicts emitted; decided by model, rule or none.",
    ("outcome", "decided_by"),
)
fraud_trials = Counter(
    "payflow_fraud_trial_total",
    "Verdicts by what the model in force says, and the one on trial, each alone.",
    ("active", "trial"),
)
fraud_watched = Gauge(
    "payflow_fraud_watched_verdicts", "Latest verdicts of the model in force that are watched."
)
fraud_psi = Gauge(
    "payflow_fraud_psi",
    "Population stability index of the watched against training: above 0.25 much has moved "
    "(weekend and night move with the clock).",
    ("figure",),
)
fraud_alert_rate = Gauge(
    "payflow_fraud_alert_rate",
    "Share of the watched that the active or trial model alone would review or block.",
    ("by",),
)
batch_seconds = Histogram(
    "payflow_batch_seconds", "One batch, from read to committed.", ("service", "room")
)
batch_events = Histogram(
    "payflow_batch_events", "Events in one batch.", ("service", "room"), buckets=BATCH_EVENTS
)
_reported: set[tuple[str, int]] = set()
"""The partitions whose lag is reported now; a process runs one service."""
emitted = Counter("payflow_told_total", "Events produced.", ("service", "topic"))


@cache
def _counter_of(counted: topic.MessageCounter) -> Counter:
    labels = (counted.label,) if counted.label else ()
    with _new_metric(counted.metric, f"messages of {type_name(counted.message)}"):
        return Counter(counted.metric, counted.help, labels)


@cache
def _seconds_of(name: str) -> Histogram:
    metric = f"payflow_{name}_seconds"
    with _new_metric(metric, f"the workflow {name}"):
        return Histogram(
            metric,
            f"From the beginning of a transaction of the workflow {name} to its end.",
            ("outcome",),
            buckets=WORKFLOW_SECONDS,
        )


@contextmanager
def _new_metric(metric: str, whose: str) -> Iterator[None]:
    """Raise DeclarationError when prometheus_client refuses the name of the new `metric`."""
    try:
        yield
    except ValueError as error:
        text = f"the metric {metric} of {whose} is one already, or no name of a metric"
        raise DeclarationError(text) from error


def declare_metrics() -> None:
    """Make the metrics of every declared topic and workflow, so that a scrape shows them at 0.

    Raises DeclarationError when two have one name.
    """
    for each in topic.declared.values():
        for counted in each.counters:
            _counter_of(counted)
    for name in workflow.declared:
        _seconds_of(name)


def count_batch(
    agent: Agent, records: Sequence[Record], handled: BatchResult, seconds: float
) -> None:
    """Count the result of one batch of `agent`, which took `seconds`."""
    place = (agent.service, agent.name)
    batch_seconds.labels(*place).observe(seconds)
    batch_events.labels(*place).observe(len(records))
    for name, count in Tally(
        first_topic_of(record.topic, agent.service) for record in records
    ).items():
        events.labels(*place, name).inc(count)
    step = step_seconds.labels(*place)
    for envelope, at_ms in handled.applied:
        # Clocks of two machines may differ: a step never takes less than no time.
        step.observe(max(0, at_ms - envelope.time_ms) / 1_000)
    duplicates_dropped.labels(*place).inc(handled.duplicates)
    redelivered.labels(*place).inc(handled.redelivered)
    _count_trouble(agent, handled)
    _count_emitted(agent, handled.emitted)
    if agent.name == CLOCK_AGENT:
        _time_ends(handled)


def totals() -> dict[str, int]:
    """Return the totals of this process over all its agents."""
    counted = {"events": events, "duplicates": duplicates_dropped, "redelivered": redelivered}
    return {name: _sum(counter) for name, counter in counted.items()}


def _sum(counter: Counter) -> int:
    samples = (sample for family in counter.collect() for sample in family.samples)
    return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))


def record_lag(service: str, behind: Mapping[tuple[str, int], int]) -> None:
    """Say how many events each (topic, partition) read by `service` here is behind.

    A partition that was reported before and is not in `behind` has another owner now, and is
    dropped.
    """
    for name, partition in _reported - behind.keys():
        event_lag.remove(service, name, str(partition))
    _reported.clear()
    for (name, partition), count in behind.items():
        event_lag.labels(service, name, str(partition)).set(max(0, count))
        _reported.add((name, partition))


def _count_trouble(agent: Agent, handled: BatchResult) -> None:
    place = (agent.service, agent.name)
    retries.labels(*place).inc(len(handled.retried))
    if handled.retried:
        # The reason of a retry is free text of an external system: never a label.
        failures.labels(*place, "transient").inc(len(handled.retried))
    for name, cause in handled.dead:
        failures.labels(*place, cause).inc()
        first_topic = first_topic_of(name, agent.service)
        dead_letters.labels(agent.service, first_topic, cause).inc()
        if cause == UNREADABLE:
            unreadable_batches.labels(agent.service, first_topic).inc()


def _count_emitted(agent: Agent, messages: Sequence[Message]) -> None:
    for message in messages:
        carried_by = topic.topic_of(message)
        emitted.labels(agent.service, carried_by.name).inc()
        for counted in carried_by.counters:
            if isinstance(message, counted.message):
                metric = _counter_of(counted)
                if counted.label:
                    metric = metric.labels(getattr(message, counted.label))
                metric.inc()


def _time_ends(handled: BatchResult) -> None:
    for (envelope, _), message in zip(handled.applied, handled.messages, strict=True):
        ended = workflow.ended_by(message)
        if ended is None or not envelope.began_ms:
            continue
        passed = max(0, envelope.time_ms - envelope.began_ms) / 1_000
        _seconds_of(ended.name).labels(ended.outcome(message)).observe(passed)
