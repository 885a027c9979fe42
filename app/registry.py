"""Everything that is declared: agents, their services, and the topics they need. Knows no Faust."""

from collections.abc import Mapping
from typing import Literal

import agents
import tables
from app.config import Config
from app.delivery.agent import Agent, due_of, registered, retries
from app.kafka.admin import TopicSpec
from app.wire.topics import (
    WORKERS,
    changelog_topic,
    dead_topic,
    load_declarations,
    load_modules,
    load_tables,
    load_topics,
    partitions_of,
    redrive_topic,
    retry_topics,
    timers_topic,
    topic_name,
)
from workflows.shared.books import OwnBooks
from workflows.shared.books import declared as declared_books
from workflows.shared.figures import LiveFigures
from workflows.shared.topic import DAY_MS, declared
from workflows.shared.workflow import Workflow
from workflows.shared.workflow import declared as declared_workflows

POISON_BYTES_MAX = 3_000_000
"""What a topic accepts: poison must be able to arrive, or it could not be dead-lettered."""
BY_THE_BROKERS_CLOCK = {"message.timestamp.type": "LogAppendTime"}
"""Of open topics: what others say of the time is not to be relied on."""
DEAD_LETTER_TOPIC_BYTES_MAX = 4_000_000
"""What dead, retry and redrive topics accept: the longest poison, and why it lies there."""
ROW_BYTES_MAX = 16_000_000
"""What a changelog accepts: a row with the longest order and its whole outbox."""


def load_agents() -> dict[str, Agent]:
    """Return every agent of Payflow by name: a new file under agents/ is a new agent.

    Every topic of workflows/*/topics.py is declared then, also those that no agent reads.
    """
    load_topics()
    load_modules("agents", tuple(agents.__path__))
    return registered


def load_workflows() -> Mapping[str, Workflow]:
    """Return every workflow by name: a new `workflows/<name>/workflow.py` is found by its name.

    Its topics and tables are declared too.
    """
    load_topics()
    load_tables()
    load_declarations("workflow")
    return declared_workflows


def live_figures() -> dict[str, LiveFigures]:
    """Return the live figures by workflow, first those whose messages name no workflow."""
    workflows = load_workflows().items()
    figures = {name: each.figures for name, each in workflows if each.figures is not None}
    return dict(sorted(figures.items(), key=lambda each: each[1].named))


def load_books() -> OwnBooks:
    """Return the books of Payflow's own that are compared with the provider's."""
    load_declarations("books")
    [books] = declared_books
    return books


def services() -> tuple[str, ...]:
    """Return the name of every service, sorted."""
    return tuple(sorted({agent.service for agent in load_agents().values()}))


def wanted_topics(config: Config) -> list[TopicSpec]:
    """Return every topic of Payflow with its partitions, cleanup and retention."""
    wanted: dict[str, TopicSpec] = {}
    for agent in load_agents().values():
        for received in agent.consumes:
            _want(wanted, dead_topic(received.name, agent.service), config, retention_ms=-1)
            if retries(agent):
                for name in retry_topics(received.name, agent.service):
                    _want(wanted, name, config)
        _want(wanted, redrive_topic(agent.name), config, retention_ms=-1)
        if due_of(agent) is not None:
            timers = timers_topic(agent.name)
            _want(wanted, timers, config)
            _want(wanted, dead_topic(timers, agent.service), config, retention_ms=-1)
    for topic in declared.values():
        _want(
            wanted,
            topic.name,
            config,
            retention_ms=topic.retention_ms,
            cleanup=topic.cleanup,
            more=BY_THE_BROKERS_CLOCK if topic.open else None,
        )
    for table in tables.declared.values():
        _want(wanted, changelog_topic(table), config, retention_ms=-1, cleanup="compact")
    workers = TopicSpec(
        name=WORKERS,
        partitions=partitions_of(WORKERS, config),
        retention_ms=600_000,
        config={"segment.ms": "300000"},
    )
    return [*wanted.values(), workers]


def _want(  # noqa: PLR0913  a topic has these facts
    wanted: dict[str, TopicSpec],
    name: str,
    config: Config,
    *,
    retention_ms: int = 7 * DAY_MS,
    cleanup: Literal["delete", "compact"] = "delete",
    more: Mapping[str, str] | None = None,
) -> None:
    longest = POISON_BYTES_MAX
    kind = topic_name(name).kind
    if kind in ("dead", "redrive", "retry"):
        longest = DEAD_LETTER_TOPIC_BYTES_MAX
    elif kind == "changelog":
        longest = ROW_BYTES_MAX
    wanted[name] = TopicSpec(
        name=name,
        partitions=partitions_of(name, config),
        cleanup=cleanup,
        retention_ms=retention_ms,
        config={"max.message.bytes": str(longest), **(more or {})},
    )
