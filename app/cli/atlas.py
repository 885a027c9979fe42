"""Draws docs/atlas.md from the code that runs: `python -m app.cli.atlas [--check]`.

Agents, topics and tables are read from their values, so nothing is written twice.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import tables
from app.delivery.agent import Agent, Caller, Projection, due_of
from app.registry import load_agents
from app.wire.topics import changelog_topic
from workflows.shared.message import type_name
from workflows.shared.topic import DAY_MS, TIMERS, Topic, declared

ATLAS = Path(__file__).parents[2] / "docs" / "atlas.md"

_HEADER = """# Atlas

Drawn by `python -m app.cli.atlas` from the agents, topics and tables as they are declared; a test
fails when it is stale. Rounded: an agent. Slanted: a topic. Names in brackets: the service.
"""


def draw() -> str:
    """Return the whole page."""
    agents = sorted(load_agents().values(), key=lambda agent: (agent.service, agent.name))
    parts = [
        _HEADER,
        "## Agents and topics\n",
        "```mermaid\n" + "\n".join(_picture(agents)) + "\n```\n",
        "## Agents\n",
        "\n".join(_agent_rows(agents)) + "\n",
        "## Topics\n",
        "\n".join(_topic_rows()) + "\n",
        "## Tables\n",
        "\n".join(_table_rows(agents)) + "\n",
    ]
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` only compare it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m app.cli.atlas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the page is stale")
    checking = parser.parse_args(arguments).check
    page = draw()
    if not checking:
        ATLAS.write_text(page, encoding="utf-8")
        return 0
    if ATLAS.is_file() and ATLAS.read_text(encoding="utf-8") == page:
        return 0
    sys.stderr.write("docs/atlas.md is stale. Write it anew with: python -m app.cli.atlas\n")
    return 1


def _picture(agents: Sequence[Agent]) -> Iterator[str]:
    yield "flowchart LR"
    for name in sorted(
        {topic.name for agent in agents for topic in (*agent.consumes, *agent.produces)}
    ):
        yield f'    {_node(name)}[/"{name}"/]'
    for agent in agents:
        yield f'    {_node(agent.name, "agent")}(["{agent.name} ({agent.service})"])'
        for topic in agent.consumes:
            yield f"    {_node(topic.name)} --> {_node(agent.name, 'agent')}"
        for topic in agent.produces:
            yield f"    {_node(agent.name, 'agent')} --> {_node(topic.name)}"


def _node(name: str, kind: str = "topic") -> str:
    return f"{kind}_{name.replace('.', '_')}"


def _agent_rows(agents: Sequence[Agent]) -> Iterator[str]:
    yield "| agent | service | consumes | table | produces | kind | wakes |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for agent in agents:
        table_name = agent.table.name if agent.table else ""
        yield _cells(
            agent.name,
            agent.service,
            _names(agent.consumes),
            table_name,
            _names(agent.produces),
            kind_of(agent),
            "by deadlines" if due_of(agent) else "",
        )


def kind_of(agent: Agent) -> str:
    """Return what an agent does with what it consumes: it decides, calls outside, or counts."""
    if isinstance(agent, Caller):
        return "calls, with retries" if agent.retries else "calls"
    return "counts" if isinstance(agent, Projection) else "decides"


def _topic_rows() -> Iterator[str]:
    yield "| topic | writer | messages | kept |"
    yield "| --- | --- | --- | --- |"
    for topic in (*sorted(declared.values(), key=lambda each: each.name), TIMERS):
        messages = ", ".join(
            type_name(message).removeprefix("payflow.") for message in topic.messages
        )
        yield _cells(_code(topic.name), _code(topic.writer), messages, _retention(topic))


def _retention(topic: Topic) -> str:
    duration = "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"
    return "the latest of each key" if topic.cleanup == "compact" else duration


def _table_rows(agents: Sequence[Agent]) -> Iterator[str]:
    yield "| table | service | written by | changelog | what a row is |"
    yield "| --- | --- | --- | --- | --- |"
    for table in sorted(tables.declared.values(), key=lambda each: each.name):
        writers = [agent.name for agent in agents if agent.table is table]
        yield _cells(
            table.name, table.service, ", ".join(writers), changelog_topic(table), table.help
        )


def _names(topics: Sequence[Topic]) -> str:
    return ", ".join(topic.name for topic in topics)


def _code(text: str) -> str:
    return f"`{text}`"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
