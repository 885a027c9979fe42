"""`payflow dead ls` in a terminal of eighty columns."""

import io

from rich.console import Console, RenderableType

from app.cli.dead_letter_output import dead_letters_table, groups_table
from app.operations.dead_letters.status import Group

TOPIC = "notification.commands.notification.dead"
GROUP = Group(
    service="notification",
    cause="AssertionError",
    stack="513b55f4f659",
    dead_letters=3,
    states={"open": 2, "handled": 1},
    first_ms=1_000,
    latest_ms=2_000,
    example=f"{TOPIC}/0/12345",
)
DEAD_LETTER = {
    "topic": TOPIC,
    "offset": 12_345,
    "state": "open",
    "cause": "AssertionError",
    "agent": "messenger",
    "type": "payflow.notification.send.v1",
    "key": "a70455af-47a8-55b5-b658-ab309a990186",
    "failures": 1,
}


def printed(table: RenderableType) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(table)
    return file.getvalue()


def test_a_group_names_an_example_as_the_other_commands_want_it():
    """Whole, topic and offset; of the states those that some have."""
    output = printed(groups_table([GROUP]))

    assert f"{TOPIC} 12345" in output
    assert "again" not in output


def test_a_dead_letter_is_named_whole():
    """Whatever else has to be cut."""
    assert f"{TOPIC}  12345" in printed(dead_letters_table([DEAD_LETTER]))
