"""Agents are values: their docstrings are true, and a new one needs no edit."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import agents
import tables
from agents.analytics import FIGURES
from app.cli import atlas
from app.delivery.agent import Agent, Caller, Decider, Projection
from app.operations.verification import consistent_cut
from app.registry import load_agents, load_workflows
from app.wire.topics import changelog_topic, reactions_of
from tests.support.source import ROOT, imports, modules
from workflows.shared.reaction import reaction_topics
from workflows.shared.topic import declared, topic_of_type

AGENTS = [pytest.param(agent, id=name) for name, agent in sorted(load_agents().items())]
SECTION = re.compile(r"^(Consumes|Table|Produces) {2,}(.+(?:\n {3,}.+)*)", re.MULTILINE)


def prose(agent: Agent) -> dict[str, set[str]]:
    """Return the names after Consumes, Table and Produces in the module's docstring."""
    text = import_module(f"agents.{agent.name}").__doc__ or ""
    return {
        name: {part.strip() for part in topics.replace("\n", " ").split(",")} - {"nothing"}
        for name, topics in SECTION.findall(text)
    }


@pytest.mark.parametrize("agent", AGENTS)
def test_the_docstring_of_an_agent_says_what_it_consumes_stores_and_produces(agent: Agent):
    """Topic and table names, comma separated; "nothing" for none."""
    sections = prose(agent)
    if sections["Consumes"] == {"every traced topic"}:
        sections["Consumes"] = {topic.name for topic in declared.values() if topic.traced}
    if "topics of its reactions" in sections["Consumes"]:
        topics = reaction_topics(reactions_of(agent.name))
        sections["Consumes"] ^= {"topics of its reactions", *(topic.name for topic in topics)}
    if "topics of its figures" in sections["Consumes"]:
        sections["Consumes"] ^= {"topics of its figures"}
        sections["Consumes"] |= {topic_of_type(message).name for message in FIGURES}

    assert {
        "Consumes": {topic.name for topic in agent.consumes},
        "Table": {agent.table.name} if agent.table else set(),
        "Produces": {topic.name for topic in agent.produces},
    } == sections


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_produces_only_topics_that_its_service_writes(agent: Agent):
    """One writing service a topic."""
    assert {} == {
        topic.name: topic.writer for topic in agent.produces if topic.writer != agent.service
    }


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_has_a_table_of_its_own_service_alone(agent: Agent):
    """Nobody writes another agent's rows."""
    keepers = [
        other.name for other in load_agents().values() if agent.table and other.table is agent.table
    ]

    assert [agent.name] == (keepers or [agent.name])
    assert agent.service == (agent.table.service if agent.table else agent.service)


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_is_of_one_kind(agent: Agent):
    """It decides, or it calls, or it counts."""
    assert 1 == sum(isinstance(agent, kind) for kind in (Decider, Caller, Projection))


@pytest.mark.parametrize("agent", AGENTS)
def test_the_topics_that_meet_in_a_row_have_as_many_partitions(agent: Agent):
    """Or a key's events would land in two processes."""
    assert {None} == {topic.partitions for topic in agent.consumes} or agent.table is None


def test_every_topic_is_written_by_an_agent_or_by_the_console():
    """A topic needs a producer; the console produces messages that come over HTTP."""
    emitted = {topic.name for agent in load_agents().values() for topic in agent.produces}
    from_console = {name for name, topic in declared.items() if topic.writer == "console"}

    assert set() == set(declared) - emitted - from_console


def test_every_message_belongs_to_one_topic():
    """The type of a message determines its topic."""
    homes = [message for topic in declared.values() for message in topic.messages]

    assert len(homes) == len(set(homes))


def test_every_table_is_kept_by_an_agent():
    """A table that nobody writes is not a table."""
    owned_tables = {agent.table.name for agent in load_agents().values() if agent.table}

    assert set() == set(tables.declared) - owned_tables


def test_no_agent_imports_another():
    """Agents meet on topics."""
    meeting = [
        f"{module.path} imports {name}"
        for module in modules("agents")
        for name in imports(module)
        if name.split(".")[0] == "agents"
    ]

    assert [] == meeting


def test_every_module_of_agents_opens_the_agent_of_its_name():
    """The agent of a module has the module's name."""
    names = {path.stem for path in Path(agents.__path__[0]).glob("*.py")} - {"__init__"}

    assert names == set(load_agents())


def test_a_new_service_is_one_new_file(tmp_path: Path):
    """The file in CONTRIBUTING.md, saved under agents/, is an agent; nothing else is edited."""
    [example] = re.findall(
        r"```python\n(.+?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    (tmp_path / "loyalty.py").write_text(example)
    script = f"""
import agents
agents.__path__.append({str(tmp_path)!r})
from app.config import Config
from app.registry import services, wanted_topics

print("loyalty" in services())
print({{"loyalty", "payments.loyalty.dead"}} <= {{spec.name for spec in wanted_topics(Config())}})
"""
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "True\nTrue\n" == answer.stdout


def test_the_atlas_is_drawn_from_payflow_as_it_is():
    """docs/atlas.md is written anew with `python -m app.cli.atlas`."""
    assert atlas.ATLAS.read_text(encoding="utf-8") == atlas.draw()


def test_what_verify_reads_exists():
    """The names that verify builds are the names Payflow gives."""
    changelogs = {changelog_topic(table) for table in tables.declared.values()}

    sources = consistent_cut.sources_of(load_workflows().values())

    assert sources.changelogs.keys() <= changelogs
    assert sources.services <= {agent.service for agent in load_agents().values()}


def test_who_can_decode_knows_every_message() -> None:
    """A command of the line imports no agent; a message unknown to it could not be produced."""
    program = """
from app.kafka import messages
from workflows.audit.access import OperatorChanged
from workflows.shared.topic import topic_of_type
print(topic_of_type(OperatorChanged).name)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "audit\n" == answer.stdout
