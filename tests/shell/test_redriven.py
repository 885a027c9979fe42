"""The shell hears letters again: on a topic of the room alone, fenced, whole when they fail."""

import asyncio

import msgspec
import pytest

from app.delivery.processor import run_batch
from app.delivery.row import decode_row
from app.operations.dead_letters.dead_letter import Letter, sent_back
from app.wire import records as record
from app.wire.records import Record, header
from tests.shell.rooms import ANSWERS, TALLY, cancel
from tests.shell.world import World, as_read


def laid_aside(reason: str) -> Letter:
    """Return the letter of a cancellation that the room could not handle."""
    world = World()
    given = cancel(1, reason="explode")
    asyncio.run(run_batch(ANSWERS, world, [given]))
    letter = Letter(given=as_read(world.told[0], 0), at_ms=0)
    body = (letter.given.value or b"").replace(b"explode", reason.encode())
    return msgspec.structs.replace(letter, given=msgspec.structs.replace(letter.given, value=body))


def heard(letter: Letter, world: World, offset: int = 0) -> Record:
    """Let the room hear `letter` again; return what it read."""
    given = as_read(sent_back(letter, 0), offset)
    asyncio.run(run_batch(ANSWERS, world, [given]))
    return given


def test_a_letter_sent_back_to_a_mended_room_is_applied_once():
    """Redelivered or sent twice, it counts once."""
    world, letter = World(), laid_aside("mended")
    heard(letter, world)
    heard(letter, world)
    heard(letter, world, offset=1)

    assert 1 == decode_row(TALLY, world.rows[("tally", 0, b"o1")]).memory.heard
    assert 1 == len({dict(told.headers)["ce_id"] for told in world.told})


def test_a_letter_that_fails_again_lies_beside_the_first_with_its_history():
    """In the dead topic of the topic it was first heard on, not in one of the redrive topic."""
    world, letter = World(), laid_aside("explode")
    heard(letter, world)

    again = as_read(world.told[0], 1)
    assert "orders.test.dead" == again.topic
    assert "orders/0/1" == header(again, "x-dead-origin")
    assert [letter.place] == [failed.place for failed in Letter(given=again, at_ms=0).history]
    assert header(again, record.REDRIVE_OF) == letter.place


@pytest.mark.parametrize("said", ["payments", "nobody-has-this-topic", ""])
def test_a_forged_way_home_leads_nowhere(said: str):
    """A header may claim any topic: a letter still ends in a dead topic of this room."""
    world, letter = World(), laid_aside("explode")
    given = as_read(sent_back(letter, 0), 0)
    headers = dict(given.headers) | {record.REDRIVE_TOPIC: said.encode()}
    forged = msgspec.structs.replace(given, headers=tuple(headers.items()))
    asyncio.run(run_batch(ANSWERS, world, [forged]))

    assert ["orders.test.dead"] == [told.topic for told in world.told]
