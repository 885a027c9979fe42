"""A recorded history: everything told on one simulated day, and what every row came to by it."""

import asyncio
from typing import Any

import msgspec

from app.composition import open_rooms
from app.config import Config
from app.delivery.agent import Room
from app.delivery.processor import run_batch
from app.delivery.row import decode_row
from app.operations.replay.event_order import event_of, heard
from app.operations.replay.shadow_runtime import ShadowPort
from app.wire.records import Record
from app.worker.faust_app import heard_topics
from tests.simulation.day import bad_day

ALONE = Config(partitions=1, seal_key="")
"""The simulation has one partition and seals nothing."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One record, as text where it is text."""

    topic: str
    offset: int
    key: str
    value: str
    headers: dict[str, str]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One row: which records it heard, in order, and what it remembers in the end."""

    room: str
    key: str
    heard: list[tuple[str, int]]
    """Topic and offset of each."""
    memory: Any
    told: int
    """How many records its answers came to."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One day."""

    about: str
    records: list[Told]
    rows: list[Kept]


def recorded(about: str, seed: int) -> History:
    """Return the day of `seed`."""
    house = bad_day(seed, asyncio.new_event_loop())
    rows: list[Kept] = []
    needed: dict[tuple[str, int], Record] = {}
    for worker in house.workers:
        room = worker.room
        if room.keeps is None or room.call is not None or room.rows is not None:
            continue
        events = [
            event_of(given, 0) for name in heard_topics(room) for given in house.log.get(name, ())
        ]
        for key, body in sorted(worker.disk.items()):
            live = decode_row(room.keeps, body)
            mine = heard(live, [each for each in events if each.given.key == key])
            given = [each.given for each in mine]
            needed |= {(each.topic, each.offset): each for each in given}
            memory, told = replayed(room, given)
            rows.append(
                Kept(
                    room=room.name,
                    key=key.decode(),
                    heard=[(each.topic, each.offset) for each in given],
                    memory=memory,
                    told=told,
                )
            )
            assert _plain(live.memory) == memory, f"{room.name} {key!r} seed {seed}"
    return History(
        about=about, records=[_told(each) for _, each in sorted(needed.items())], rows=rows
    )


def replayed(room: Room, given: list[Record]) -> tuple[Any, int]:
    """Return what the room of today remembers after `given`, and how much it told."""
    assert room.keeps is not None
    shadow = ShadowPort(ALONE)
    asyncio.run(run_batch(room, shadow, given))
    bodies = list(shadow.rows.values())
    memory = decode_row(room.keeps, bodies[0]).memory if bodies else room.keeps.initial
    return _plain(memory), shadow.told


def _plain(memory: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(memory))


def given_of(history: History, kept: Kept) -> list[Record]:
    """Return the records that the row heard."""
    known = {(told.topic, told.offset): told for told in history.records}
    return [_record(known[place]) for place in kept.heard]


def room_of(kept: Kept) -> Room:
    """Return the room of today that keeps the row."""
    return open_rooms()[kept.room]


def _told(given: Record) -> Told:
    return Told(
        topic=given.topic,
        offset=given.offset,
        key=(given.key or b"").decode(),
        value=(given.value or b"").decode(),
        headers={name: value.decode() for name, value in given.headers},
    )


def _record(told: Told) -> Record:
    return Record(
        topic=told.topic,
        partition=0,
        offset=told.offset,
        key=told.key.encode(),
        value=told.value.encode(),
        headers=tuple((name, value.encode()) for name, value in told.headers.items()),
    )
