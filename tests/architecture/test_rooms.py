"""Rooms are values: their prose is true, their words have one home, and a new one needs no edit."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import agents
import tables
from app.cli import atlas
from app.composition import changelog_of, open_rooms
from app.delivery.agent import Room
from app.operations.verification import consistent_cut as cut
from app.wire import topics
from tests.architecture.source import ROOT, imports, modules

ROOMS = [pytest.param(room, id=name) for name, room in sorted(open_rooms().items())]
SECTION = re.compile(r"^(Hears|Keeps|Tells) {2,}(.+(?:\n {3,}.+)*)", re.MULTILINE)


def prose(room: Room) -> dict[str, set[str]]:
    """Return the names after Hears, Keeps and Tells in the docstring of the room's module."""
    text = import_module(f"agents.{room.name}").__doc__ or ""
    return {
        name: {part.strip() for part in said.replace("\n", " ").split(",")} - {"nothing"}
        for name, said in SECTION.findall(text)
    }


@pytest.mark.parametrize("room", ROOMS)
def test_the_docstring_of_a_room_says_what_it_hears_keeps_and_tells(room: Room):
    """Topic and table names, comma separated; "nothing" for none."""
    assert {
        "Hears": {topic.name for topic in room.hears},
        "Keeps": {room.keeps.name} if room.keeps else set(),
        "Tells": {topic.name for topic in room.tells},
    } == prose(room)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_tells_only_topics_that_its_service_writes(room: Room):
    """One writing service a topic."""
    assert {} == {topic.name: topic.writer for topic in room.tells if topic.writer != room.service}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_keeps_a_table_of_its_own_service_alone(room: Room):
    """Nobody writes another room's rows."""
    keepers = [
        other.name for other in open_rooms().values() if room.keeps and other.keeps is room.keeps
    ]

    assert [room.name] == (keepers or [room.name])
    assert room.service == (room.keeps.service if room.keeps else room.service)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_of_one_kind(room: Room):
    """It decides, or it calls, or it counts."""
    kinds = [room.decide or room.evolve, room.call, room.rows or room.fold or room.rollup]

    assert 1 == sum(kind is not None for kind in kinds)


@pytest.mark.parametrize("room", ROOMS)
def test_the_topics_that_meet_in_a_row_have_as_many_partitions(room: Room):
    """Or a key's events would land in two processes."""
    assert {None} == {topic.partitions for topic in room.hears} or room.keeps is None


def test_every_topic_is_written_by_a_room_or_by_the_doors():
    """What nobody tells needs no topic; the console tells for those outside."""
    told = {topic.name for room in open_rooms().values() for topic in room.tells}
    from_doors = {name for name, topic in topics.declared.items() if topic.writer == "console"}

    assert set() == set(topics.declared) - told - from_doors


def test_every_word_belongs_to_one_topic():
    """Saying a word says where it goes."""
    homes = [word for topic in topics.declared.values() for word in topic.words]

    assert len(homes) == len(set(homes))


def test_every_table_is_kept_by_a_room():
    """A table that nobody writes is no table."""
    kept = {room.keeps.name for room in open_rooms().values() if room.keeps}

    assert set() == set(tables.declared) - kept


def test_no_room_imports_another():
    """Rooms meet on topics."""
    meeting = [
        f"{module.path} imports {name}"
        for module in modules("agents")
        for name in imports(module)
        if name.split(".")[0] == "agents"
    ]

    assert [] == meeting


def test_every_module_of_agents_opens_the_room_of_its_name():
    """One noun opens every door."""
    names = {path.stem for path in Path(agents.__path__[0]).glob("*.py")} - {"__init__"}

    assert names == set(open_rooms())


def test_a_new_service_is_one_new_file(tmp_path: Path):
    """The file in CONTRIBUTING.md, saved under agents/, is a room; nothing else is edited."""
    [example] = re.findall(
        r"```python\n(.+?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    (tmp_path / "loyalty.py").write_text(example)
    look = f"""
import agents
agents.__path__.append({str(tmp_path)!r})
from app.config import Config
from app.composition import services, wanted_topics
print("loyalty" in services())
print({{"loyalty", "payments.loyalty.dead"}} <= {{spec.name for spec in wanted_topics(Config())}})
"""
    answer = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "True\nTrue\n" == answer.stdout


def test_the_atlas_is_drawn_from_the_house_as_it_is():
    """docs/atlas.md is written anew with `python -m app.cli.atlas`."""
    assert atlas.ATLAS.read_text(encoding="utf-8") == atlas.draw()


def test_what_verify_reads_exists():
    """The names that verify builds are the names the house gives."""
    changelogs = {changelog_of(table) for table in tables.declared.values()}

    assert set() == cut.CHANGELOGS - changelogs
    assert set() == cut.EFFECTIVE - {room.service for room in open_rooms().values()}
