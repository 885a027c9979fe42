"""All declarations: agents, services, workflows and topics. It imports no Faust."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Literal

import agents
import tables
from app.config import Config
from app.delivery.agent import Agent, due_of, is_decider, registered, retries
from app.delivery.agent_topics import consumed_topics
from app.kafka.admin import TopicSpec
from app.kafka.durability import durable_settings
from app.wire.byte_limits import (
    DEAD_LETTER_TOPIC_BYTES_MAX,
    PRODUCE_BYTES_MAX,
    RECORD_BYTES_MAX,
    ROW_BYTES_MAX,
)
from app.wire.topics import (
    WORKERS,
    changelog_topic,
    dead_topic,
    kind_of_form,
    load_declarations,
    load_modules,
    load_tables,
    load_topics,
    partitions_of,
    redrive_topic,
    retry_topics,
    subjects_with,
    timers_topic,
    topic_name,
)
from workflows.shared.books import OwnBooks
from workflows.shared.books import declared as declared_books
from workflows.shared.errors import DeclarationError
from workflows.shared.figures import LiveFigures
from workflows.shared.invariants import Moment
from workflows.shared.reaction import declared as declared_reactions
from workflows.shared.topic import KEPT_MS, declared
from workflows.shared.workflow import Workflow
from workflows.shared.workflow import declared as declared_workflows

BY_THE_BROKERS_CLOCK = {"message.timestamp.type": "LogAppendTime"}
"""For open topics: times of other producers are not reliable, so the broker's clock counts."""
READ_MS_MAX = 600_000
"""How long reading a topic up to an end that was noted before may take."""
COMPACTED = {
    "segment.bytes": str(PRODUCE_BYTES_MAX),
    "min.compaction.lag.ms": str(READ_MS_MAX),
}
"""Kafka never compacts the last segment of a partition, which has 1 GiB by default: a changelog
would hold every version of its rows for days, on disk and in every recovery. A segment has to hold
the longest record.

Compaction takes the version of a row that lies before the noted end as soon as there is one behind
it, and `verify` would miss the row: so none of the last minutes is taken."""
COMPRESSED = {"compression.type": "zstd"}
"""For changelogs, which are most of what an instance has on disk: the broker stores them in two
fifths of their bytes. Other topics are stored as they were produced."""


def load_agents() -> dict[str, Agent]:
    """Return every agent of Payflow by name: a new file under agents/ is a new agent.

    Every topic of workflows/*/topics.py is declared then, also those that no agent reads.
    """
    load_topics()
    load_modules("agents", tuple(agents.__path__))
    return registered


def consumers(topic: str) -> list[Agent]:
    """Return the agents that read `topic`."""
    return [agent for agent in load_agents().values() if topic in consumed_topics(agent)]


def load_workflows() -> Mapping[str, Workflow]:
    """Return every workflow by name: a new `workflows/<name>/workflow.py` is found by its name.

    Its topics and tables are declared too.
    """
    load_topics()
    load_tables()
    load_declarations("workflow")
    return declared_workflows


def check_declarations() -> None:
    """Raise DeclarationError when declarations contradict each other: what starts asks first."""
    workflows, every = load_workflows(), load_agents()
    for wrong in (
        *_wrong_names(workflows),
        *_wrong_tables(workflows),
        *_wrong_figures(workflows),
        *_wrong_references(workflows, every),
    ):
        raise DeclarationError(wrong)


def _wrong_names(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield what of topics has a name with another meaning, and which folder names no workflow."""
    for name in declared:
        if (kind := kind_of_form(name)) != "other":
            yield f"topic {name} has the name of a {kind} topic"
    for name in subjects_with("workflow"):
        if name not in workflows:
            yield f"workflows/{name}/workflow.py declares no workflow {name}"


def _wrong_tables(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield which workflow has no table, or that of another, and whose key is not a field."""
    owners: dict[str, str] = {}
    for name, each in workflows.items():
        for table in (each.table, each.view.person_table):
            if table not in tables.declared:
                yield f"workflow {name}: there is no table {table}"
        if (owner := owners.setdefault(each.table, name)) != name:
            yield f"workflows {owner} and {name} have one table: {each.table}"
        for message in (each.started_by, *each.ends.values()):
            if each.key not in message.__struct_fields__:
                yield f"workflow {name}: its key {each.key} is not a field of {message.__name__}"


def _wrong_figures(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """Yield which figures two workflows count under one name."""
    unnamed = [
        name for name, each in workflows.items() if each.figures and not each.figures.names_workflow
    ]
    if len(unnamed) > 1:
        yield f"the live figures of workflows {' and '.join(unnamed)} name no workflow"
    owners: dict[str, str] = {}
    for name, each in workflows.items():
        findings = each.invariants.judge(each.invariants.facts(), Moment(now_ms=0))
        for figure in findings.figures:
            if (owner := owners.setdefault(figure, name)) != name:
                yield f"verify: workflows {owner} and {name} have one figure: {figure}"
        for figure in each.invariants.balances:
            if figure not in findings.figures:
                yield f"verify: the balance {figure} of workflow {name} is none of its figures"


def _wrong_references(
    workflows: Mapping[str, Workflow], every: Mapping[str, Agent]
) -> Iterator[str]:
    """Yield which agent or reaction names a workflow or a participant that is not declared."""
    for agent in every.values():
        if find_spec(f"agents.{agent.name}") is None:
            yield f"agent {agent.name} is not in a file agents/{agent.name}.py"
        name = agent.workflow if is_decider(agent) else ""
        if name and name not in workflows:
            yield f"agent {agent.name}: there is no workflow {name}"
    for participant, reactions in declared_reactions.items():
        if participant not in every:
            yield f"reactions: there is no agent {participant}"
        for name in sorted({name for each in reactions.values() for name in each}):
            if name not in workflows:
                yield f"reactions of {participant}: there is no workflow {name}"


def live_figures() -> dict[str, LiveFigures]:
    """Return the live figures by workflow, first those whose messages name no workflow."""
    workflows = load_workflows().items()
    figures = {name: each.figures for name, each in workflows if each.figures is not None}
    return dict(sorted(figures.items(), key=lambda each: each[1].names_workflow))


def load_books() -> OwnBooks:
    """Return Payflow's own books, which are compared with the provider's."""
    load_declarations("books")
    [books] = declared_books
    return books


def services() -> tuple[str, ...]:
    """Return the name of every service, sorted."""
    return tuple(sorted({agent.service for agent in load_agents().values()}))


def wanted_topics(config: Config) -> list[TopicSpec]:
    """Return every topic of Payflow with its partitions, cleanup and retention."""
    spec_by_name: dict[str, TopicSpec] = {}
    for agent in load_agents().values():
        for received in agent.consumes:
            _want(spec_by_name, dead_topic(received.name, agent.service), config, retention_ms=-1)
            if retries(agent):
                for name in retry_topics(received.name, agent.service):
                    _want(spec_by_name, name, config)
        _want(spec_by_name, redrive_topic(agent.name), config, retention_ms=-1)
        if due_of(agent) is not None:
            timers = timers_topic(agent.name)
            _want(spec_by_name, timers, config)
            _want(spec_by_name, dead_topic(timers, agent.service), config, retention_ms=-1)
    for topic in declared.values():
        _want(
            spec_by_name,
            topic.name,
            config,
            retention_ms=topic.retention_ms,
            cleanup=topic.cleanup,
            more=BY_THE_BROKERS_CLOCK if topic.open else None,
        )
    for table in tables.declared.values():
        _want(spec_by_name, changelog_topic(table), config, retention_ms=-1, cleanup="compact")
    workers = TopicSpec(
        name=WORKERS,
        partitions=partitions_of(WORKERS, config),
        retention_ms=600_000,
        config={
            "segment.ms": "300000",
            **BY_THE_BROKERS_CLOCK,
            **durable_settings(config.replication),
        },
    )
    return [*spec_by_name.values(), workers]


def _want(  # noqa: PLR0913  a topic has these facts
    spec_by_name: dict[str, TopicSpec],
    name: str,
    config: Config,
    *,
    retention_ms: int = KEPT_MS,
    cleanup: Literal["delete", "compact"] = "delete",
    more: Mapping[str, str] | None = None,
) -> None:
    longest = RECORD_BYTES_MAX
    kind = topic_name(name).kind
    if kind in ("dead", "redrive", "retry"):
        longest = DEAD_LETTER_TOPIC_BYTES_MAX
    elif kind == "changelog":
        longest = ROW_BYTES_MAX
    spec_by_name[name] = TopicSpec(
        name=name,
        partitions=partitions_of(name, config),
        cleanup=cleanup,
        retention_ms=retention_ms,
        config={
            "max.message.bytes": str(longest),
            **(COMPACTED if cleanup == "compact" else {}),
            **durable_settings(config.replication),
            **(COMPRESSED if kind == "changelog" else {}),
            **(more or {}),
        },
    )
