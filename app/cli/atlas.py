"""Draws docs/atlas.md from the code that runs: `python -m app.cli.atlas [--check]`.

Rooms, topics and tables are read from their values; nothing here is written by hand twice.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import tables
from app.composition import changelog_of, open_rooms
from app.delivery.agent import Room
from app.wire import topics
from app.wire.topics import Topic
from workflows.shared.message import type_name

ATLAS = Path(__file__).parents[2] / "docs" / "atlas.md"

_HEAD = """# Atlas

Drawn by `python -m app.cli.atlas` from the rooms, topics and tables as they are declared; a test
fails when it is stale. Rounded: a room. Slanted: a topic. Names in brackets: the service.
"""


def draw() -> str:
    """Return the whole page."""
    rooms = sorted(open_rooms().values(), key=lambda room: (room.service, room.name))
    parts = [
        _HEAD,
        "## Rooms and topics\n",
        "```mermaid\n" + "\n".join(_picture(rooms)) + "\n```\n",
        "## Rooms\n",
        "\n".join(_room_rows(rooms)) + "\n",
        "## Topics\n",
        "\n".join(_topic_rows()) + "\n",
        "## Tables\n",
        "\n".join(_table_rows(rooms)) + "\n",
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


def _picture(rooms: Sequence[Room]) -> Iterator[str]:
    yield "flowchart LR"
    for name in sorted({topic.name for room in rooms for topic in (*room.hears, *room.tells)}):
        yield f'    {_node(name)}[/"{name}"/]'
    for room in rooms:
        yield f'    {_node(room.name, "room")}(["{room.name} ({room.service})"])'
        for topic in room.hears:
            yield f"    {_node(topic.name)} --> {_node(room.name, 'room')}"
        for topic in room.tells:
            yield f"    {_node(room.name, 'room')} --> {_node(topic.name)}"


def _node(name: str, kind: str = "topic") -> str:
    return f"{kind}_{name.replace('.', '_')}"


def _room_rows(rooms: Sequence[Room]) -> Iterator[str]:
    yield "| room | service | hears | keeps | tells | kind | wakes |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for room in rooms:
        kept = room.keeps.name if room.keeps else ""
        yield _cells(
            room.name,
            room.service,
            _names(room.hears),
            kept,
            _names(room.tells),
            kind_of(room),
            "by deadlines" if room.due else "",
        )


def kind_of(room: Room) -> str:
    """Return what a room does with what it hears: it answers, calls outside, or counts."""
    if room.call is not None:
        return "calls, with retries" if room.retries else "calls"
    return "answers" if room.rows is None else "counts"


def _topic_rows() -> Iterator[str]:
    yield "| topic | writer | words | kept |"
    yield "| --- | --- | --- | --- |"
    for topic in (*sorted(topics.declared.values(), key=lambda each: each.name), topics.TIMERS):
        words = ", ".join(type_name(word).removeprefix("payflow.") for word in topic.words)
        yield _cells(_code(topic.name), _code(topic.writer), words, _retention(topic))


def _retention(topic: Topic) -> str:
    kept = "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // topics.DAY_MS} days"
    return "the latest of each key" if topic.cleanup == "compact" else kept


def _table_rows(rooms: Sequence[Room]) -> Iterator[str]:
    yield "| table | service | written by | changelog | what a row is |"
    yield "| --- | --- | --- | --- | --- |"
    for table in sorted(tables.declared.values(), key=lambda each: each.name):
        writers = [room.name for room in rooms if room.keeps is table]
        yield _cells(table.name, table.service, ", ".join(writers), changelog_of(table), table.help)


def _names(named: Sequence[Topic]) -> str:
    return ", ".join(topic.name for topic in named)


def _code(text: str) -> str:
    return f"`{text}`"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
