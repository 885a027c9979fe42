"""Records of somebody who means harm are laid aside, or taken for what they are; none stops us."""

from typing import Any

import pytest
from msgspec.structs import replace

from app.config import Config
from app.delivery import row
from app.delivery.processor import run_batch
from app.wire import envelope, topics
from app.wire import records as record
from app.wire import signing as seal
from app.wire.records import Outgoing, Record, header
from app.wire.signing import SEAL, sealed
from app.wire.topics import Topic
from tests.shell.rooms import ANSWERS, TALLY, Outside, calls, cancel, message, said
from tests.shell.world import World, as_read
from workflows.shared.deadline import DeadlineReached

LONG_DIGITS = b"9" * 5_000
"""More than Python makes an int of."""


class House(World):
    """A world with real seals."""

    def genuine(self, given: Record, topic: Topic) -> bool:
        return seal.genuine(given, topic, Config())


def ours(given: Record) -> Record:
    """Return `given` as the house would have told it."""
    told = Outgoing(
        topic=given.topic, key=given.key, value=given.value, headers=list(given.headers)
    )
    read = as_read(sealed(told, Config().seal_key), given.offset, given.partition)
    return replace(read, at_ms=given.at_ms)


def with_headers(given: Record, **changes: bytes) -> Record:
    """Return `given` with other headers; `__` in a name stands for `-`."""
    named = {name.replace("__", "-"): value for name, value in changes.items()}
    return replace(given, headers=tuple((dict(given.headers) | named).items()))


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        pytest.param(
            with_headers(cancel(1), **{SEAL.replace("-", "__"): b"\xff\xfe"}),
            "forged",
            id="a seal that is no ASCII",
        ),
        pytest.param(
            with_headers(cancel(1), ce_id=b"x" * 2_000_000),
            "bad_envelope",
            id="an id that no row can remember",
        ),
        pytest.param(
            with_headers(cancel(1), ce_correlationid=b"x" * 2_000),
            "bad_envelope",
            id="a transaction with an endless name",
        ),
        pytest.param(
            with_headers(cancel(1), baggage=b"a=" + b"x" * 9_000),
            "bad_envelope",
            id="baggage that every event after it would carry",
        ),
        pytest.param(
            with_headers(cancel(1), baggage=b"a=" + "é".encode() * 3_000),
            "bad_envelope",
            id="baggage that grows when it is passed on",
        ),
        pytest.param(
            with_headers(cancel(1), ce_time=b"0001-01-01T00:00:00+14:00"),
            "bad_envelope",
            id="a time before there were times",
        ),
        pytest.param(
            with_headers(cancel(1), ce_time=b"1970-01-01T00:00:00Z"),
            "bad_envelope",
            id="the time that stands for never",
        ),
        pytest.param(
            with_headers(cancel(1), ce_time=b"9999-12-31T23:59:59-14:00"),
            "bad_envelope",
            id="a time after which there is none",
        ),
        pytest.param(
            with_headers(cancel(1), ce_id=b"\xff"), "bad_envelope", id="an id that is no text"
        ),
        pytest.param(
            replace(cancel(1), headers=(*cancel(1).headers, ("ce_id", b"\xff"))),
            "bad_envelope",
            id="two ids",
        ),
        pytest.param(
            cancel(1, time_ms=1_400_001, at_ms=1_100_000),
            "from_the_future",
            id="a time that had not come when it was told",
        ),
        pytest.param(replace(cancel(1), key=None), "wrong_key", id="no key"),
        pytest.param(replace(cancel(1), value=None), "tombstone", id="no body"),
    ],
)
async def test_a_lie_is_laid_aside_and_the_next_event_is_answered(
    given: Record, cause: str
) -> None:
    """With its bytes, under a name that says why; the batch goes on."""
    world = House()

    handled = await run_batch(ANSWERS, world, [given, cancel(2)])

    letter = as_read(world.told[0], 0)
    assert [("orders", cause)] == handled.dead
    assert (given.key, given.value) == (letter.key, letter.value)
    assert [b"o1"] == [told.key for told in world.told[1:]]


@pytest.mark.parametrize("name", ["x-retry-due-ms", "x-retry-attempt"])
async def test_a_number_that_is_none_counts_as_none(name: str) -> None:
    """Thousands of digits would be an exception wherever a retry is read."""
    given = replace(message(1, "n1"), topic="notification.commands.test.retry-1s")
    given = replace(given, headers=(*given.headers, (name, LONG_DIGITS)))
    world = House()

    handled = await run_batch(calls(Outside()), world, [given])

    assert (0, 0) == (record.due_ms(given), record.attempts(given))
    assert ["forged"] == [cause for _, cause in handled.dead]


async def test_an_event_does_not_choose_where_it_was_read() -> None:
    """An origin is believed of retries: a letter elsewhere says where it really lay."""
    world = House()
    given = replace(
        cancel(7), value=b"{", headers=(*cancel(7).headers, ("x-origin", b"orders/0/1"))
    )

    await run_batch(ANSWERS, world, [given])

    assert "orders/0/7" == header(as_read(world.told[0], 0), "x-dead-origin")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"value": b"x" * 20_000_000}, id="a body"),
        pytest.param({"key": b"x" * 20_000_000}, id="a key"),
        pytest.param({"headers": (("x", b"x" * 20_000_000),)}, id="a header"),
        pytest.param({"headers": (("x", b""),) * 1_000_000}, id="headers"),
        pytest.param({"headers": (("x" * 9_000_000, None),)}, id="a name"),
    ],
)
async def test_what_was_sent_compressed_is_cut_to_what_a_dead_topic_takes(
    changes: dict[str, Any],
) -> None:
    """A broker takes 20 MB of the same byte in a few KB; its letter says what it was."""
    world = House()
    given = replace(cancel(1), **changes)

    await run_batch(ANSWERS, world, [given])

    letter = as_read(world.told[0], 0)
    parts = [letter.key, letter.value, *(value for _, value in letter.headers)]
    size = sum(len(part or b"") for part in parts) + sum(len(name) for name, _ in letter.headers)
    assert size < record.LETTER_BYTES_MAX
    assert "yes" == header(letter, record.DEAD_CUT)
    assert record.digest(given) == record.digest_laid_aside(letter)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(cancel(1, time_ms=1_400_000, at_ms=1_100_000), id="a clock a little ahead"),
        pytest.param(cancel(1, time_ms=1_400_001), id="nobody knows when it was told"),
        pytest.param(ours(cancel(1, time_ms=1_400_001, at_ms=1_100_000)), id="our own clock"),
    ],
)
async def test_a_time_is_believed_unless_it_cannot_be(given: Record) -> None:
    """Clocks differ by a little; those of the house are its own affair."""
    handled = await run_batch(ANSWERS, House(), [given])

    assert ([], 1) == (handled.dead, len(handled.applied))


@pytest.mark.parametrize(
    ("room", "dead"),
    [
        pytest.param("tally", [], id="its own"),
        pytest.param("payment", [("tally.timers", "wrong_topic")], id="of another room"),
    ],
)
async def test_a_deadline_is_heard_by_its_room_alone(room: str, dead: list[Any]) -> None:
    """All deadlines are one word, and each seal is right."""
    word = DeadlineReached(key="o1", due_at_ms=5)
    given = said(
        word, 1, event_id=envelope.derive_id(room, "o1", 5), topic=topics.timers_of("tally")
    )
    sleeper = replace(ANSWERS, decide=None, evolve=lambda memory, _word, _at_ms: memory)

    handled = await run_batch(sleeper, House(), [ours(given)])

    assert dead == handled.dead


async def test_others_cannot_take_an_id_of_ours() -> None:
    """Told before ours under its id, theirs would make us drop it as known."""
    world = House()
    honest = ours(cancel(2, "honest", event_id="same"))
    lie = cancel(1, "a lie", event_id="same")

    await run_batch(ANSWERS, world, [lie, honest, replace(lie, offset=3)])

    tally = row.decode_row(TALLY, world.rows[("tally", 0, b"o1")])
    assert 2 == tally.memory.heard
    assert "same" == tally.seen[-1]
