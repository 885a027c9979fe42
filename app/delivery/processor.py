"""The delivery shell: at least once, with effects once.

A batch goes through five beats, always in this order:

    read      decode; what can never be handled becomes a dead letter
    decide    a row a key; what its fence or its memory of ids has seen is dropped
    remember  rows, with what was decided to be told, go to the store and their changelog
    tell      everything told is acknowledged by the broker
    commit    only now may the offsets move (the caller does that)

A crash between any two of them repeats work and never loses it: a redelivered event finds in its
row what was decided, and tells just that again, with the same ids. Deciding anew could come to
something else, since topics are read in another order after a crash. What comes from outside, dead
letters and retries are told before the rows are put. The shell knows no Kafka: `Port` is all it
sees of the world.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.delivery.agent import Room, Transient, home_topic
from app.delivery.batch import Stage
from app.delivery.runtime import Handled, Place, Port
from app.host.logs import About, logging_about
from app.wire import codecs, envelope, topics
from app.wire import records as record
from app.wire import signing as seal
from app.wire.envelope import Envelope
from app.wire.records import Record
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message, type_name

CALLS_AT_ONCE_MAX = 64
"""Outside calls under way at the same time in one room."""

Heard = tuple[Record, Envelope, Message]


async def run_batch(room: Room, port: Port, records: Sequence[Record]) -> Handled:
    """Take `records` through all beats but the commit; return what they came to.

    Raises only when the world fails (the broker, the disk): then nothing may be committed.
    """
    with logging_about(room.service, room.name) as about:
        return await _run_batch(Stage(room, port), records, about)


async def _run_batch(stage: Stage, records: Sequence[Record], about: About) -> Handled:
    room, port = stage.room, stage.port
    heard = _read_all(stage, records, about)
    port.beat("read")
    if room.call is not None:
        await _call_all(stage, heard)
    else:
        apply = _count if room.rows is not None else _answer
        for given, head, word in heard:
            about.at(given, head)
            apply(stage, given, head, word)
        about.at(None)
    stage.roll_up()
    port.beat("decided")
    if stage.before:
        await port.tell(stage.before)
    port.beat("laid aside")
    if stage.rows and room.keeps is not None:
        await port.remember(room.keeps, stage.encoded())
    port.beat("remembered")
    if stage.after:
        await port.tell(stage.after)
    port.beat("told")
    if room.due is not None:
        stage.handled.due = {at: room.due(staged.memory) for at, staged in stage.rows.items()}
    return stage.handled


def _read_all(stage: Stage, records: Sequence[Record], about: About) -> list[Heard]:
    heard: list[Heard] = []
    for given in records:
        about.at(given)
        item = _read(stage, given)
        if item is not None:
            heard.append(item)
    about.at(None)
    return heard


def _read(stage: Stage, given: Record) -> Heard | None:
    """Return what `given` says, or lay it aside as a dead letter."""
    try:
        head = envelope.from_headers(given.headers)
        word = codecs.decode(given.value, head, given.key)
        _check_topic(stage.room, given, head, word)
        _check_source(stage.port, given, head, word)
    except envelope.BadEnvelope as error:
        stage.lay_aside(given, "bad_envelope", str(error), error)
    except codecs.Poison as error:
        stage.lay_aside(given, error.cause, str(error), error)
    else:
        return given, seal.named(head, given, topics.topic_of(word)), word
    return None


def _check_topic(room: Room, given: Record, head: Envelope, word: Message) -> None:
    home = home_topic(room, given)
    carrier = topics.topic_of(word)
    due = topics.timers_of(room.name) if carrier is topics.TIMERS else carrier.name
    if due != home:
        raise codecs.Poison("wrong_topic", f"{type_name(type(word))} belongs on {due}")
    if isinstance(word, DeadlineReached) and head.id != envelope.derive_id(
        room.name, word.key, word.due_at_ms
    ):
        # All deadlines are one word, and their seal does not say for which room: their id does.
        raise codecs.Poison("wrong_topic", "a deadline of another room")


def _check_source(port: Port, given: Record, head: Envelope, word: Message) -> None:
    topic = topics.topic_of(word)
    if not port.at_home(given):
        raise codecs.Poison("wrong_partition", "its key belongs to another partition")
    if not port.genuine(given, topic):
        raise codecs.Poison(
            "forged",
            "its seal is missing or wrong: the house has not told this. Operator: who did?",
        )
    if seal.from_the_future(head, given, topic):
        raise codecs.Poison("from_the_future", "its ce_time is later than when it was told")


def _answer(stage: Stage, given: Record, head: Envelope, word: Message) -> None:
    """Apply one event to the row of its key."""
    room = stage.room
    at = _place(given)
    before = stage.load(given, at)
    if before is None or stage.dropped(given, head, at, before):
        return
    try:
        told = tuple(room.decide(before.memory, word, head.time_ms)) if room.decide else ()
        memory = before.memory
        if room.evolve is not None:
            for each in (word, *told):
                memory = room.evolve(memory, each, head.time_ms)
        saying = stage.say(told, given, head, before.context)
    except Exception as error:  # noqa: BLE001  no exception leaves a room
        stage.lay_aside(given, type(error).__name__, str(error), error)
        stage.pass_by(given, at, before)
        return
    stage.applied(given, head, word)
    stage.remember(given, head, at, before, memory, saying)
    stage.tell_after(saying, told)


def _count(stage: Stage, given: Record, head: Envelope, word: Message) -> None:
    """Apply one event to each row that it counts in."""
    room = stage.room
    assert room.rows is not None
    assert room.fold is not None
    try:
        for key in room.rows(word, head):
            at = (given.partition, key.encode())
            before = stage.load(given, at)
            if before is None or stage.dropped(given, head, at, before):
                continue
            stage.remember(given, head, at, before, room.fold(before.memory, word, head))
    except Exception as error:  # noqa: BLE001  no exception leaves a room
        stage.lay_aside(given, type(error).__name__, str(error), error)
        return
    stage.applied(given, head, word)


async def _call_all(stage: Stage, heard: Sequence[Heard]) -> None:
    """Ask outside for every event: keys side by side, the events of one key in order."""
    by_key: dict[Place, list[Heard]] = {}
    for item in heard:
        by_key.setdefault(_place(item[0]), []).append(item)
    slots = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def in_turn(items: list[Heard]) -> None:
        async with slots:
            # A task of its own, and what its lines are about.
            with logging_about(stage.room.service, stage.room.name) as about:
                for given, head, word in items:
                    about.at(given, head)
                    await _call(stage, given, head, word)

    await _together([in_turn(items) for items in by_key.values()])


async def _call(stage: Stage, given: Record, head: Envelope, word: Message) -> None:
    """Ask outside for one event; park it and its followers when that may work later."""
    at = _place(given)
    before = stage.load(given, at)
    if before is None or stage.dropped(given, head, at, before):
        return
    if before.parked and before.parked[0] != head.id:
        waited = record.attempts(given)
        stage.park(given, head, at, before, waited, "waits behind another of its key")
        return
    try:
        told = await _asked(stage, word)
        stage.tell_before(stage.say(told, given, head, before.context), told)
    except Transient as error:
        attempt = record.attempts(given) + 1
        if attempt <= len(record.RETRY_LEVELS_SECONDS):
            stage.park(given, head, at, before, attempt, str(error))
            return
        stage.lay_aside(given, "exhausted", str(error), error)
        if stage.room.give_up is not None:
            last = stage.room.give_up(word, str(error))
            stage.tell_before(stage.say(last, given, head, before.context), last)
        stage.pass_by(given, at, before)
    except Exception as error:  # noqa: BLE001  no exception leaves a room
        stage.lay_aside(given, type(error).__name__, str(error), error)
        stage.pass_by(given, at, before)
    else:
        stage.applied(given, head, word)
        stage.remember(given, head, at, before, before.memory)
    stage.unpark(head, at)


async def _asked(stage: Stage, word: Message) -> Sequence[Message]:
    assert stage.room.call is not None
    try:
        return await stage.room.call(word)
    finally:
        # Thousands of slow calls make one batch: each is progress.
        stage.port.beat("called")


def _place(given: Record) -> Place:
    return given.partition, given.key or b""


async def _together(calls: Sequence[Any]) -> None:
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call)
