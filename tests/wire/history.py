"""A recorded history: everything emitted on one simulated day, and what every row came to by it."""

import asyncio
from typing import Any

import msgspec

from app.config import Config
from app.delivery.agent import Agent, Decider, initial_knowledge
from app.delivery.agent_topics import consumed_topics
from app.delivery.processor import run_batch
from app.delivery.row import decode_row, is_row
from app.operations.replay.event_order import event_of, received
from app.operations.replay.shadow_runtime import ShadowRuntime
from app.registry import load_agents
from app.wire.records import Record
from tests.support.simulation.scenario import run_scenario

ALONE = Config(partitions=1, signing_key="")
"""The simulation has one partition and signatures nothing."""


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """One record, as text where it is text."""

    topic: str
    offset: int
    key: str
    value: str
    headers: dict[str, str]


class Kept(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"agent": "room", "received": "heard", "state": "memory", "emitted": "told"},
):
    """One row: which records it received, in order, and what it remembers in the end."""

    agent: str
    key: str
    received: list[tuple[str, int]]
    """Topic and offset of each."""
    state: Any
    emitted: int
    """How many records its answers came to."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One day."""

    about: str
    records: list[Emitted]
    rows: list[Kept]


def recorded(about: str, seed: int) -> History:
    """Return the day of `seed`."""
    world = run_scenario(seed, asyncio.new_event_loop())
    rows: list[Kept] = []
    needed: dict[tuple[str, int], Record] = {}
    for worker in world.workers:
        agent = worker.agent
        if not isinstance(agent, Decider):
            continue
        events = [
            event_of(record, 0)
            for name in consumed_topics(agent)
            for record in world.log.get(name, ())
        ]
        for key, body in sorted(worker.disk.items()):
            live = decode_row(agent.table, body)
            mine = received(live, [each for each in events if each.record.key == key])
            record = [each.record for each in mine]
            needed |= {(each.topic, each.offset): each for each in record}
            state, emitted = replayed(agent, record)
            rows.append(
                Kept(
                    agent=agent.name,
                    key=key.decode(),
                    received=[(each.topic, each.offset) for each in record],
                    state=state,
                    emitted=emitted,
                )
            )
            assert _plain(live.state) == state, f"{agent.name} {key!r} seed {seed}"
    return History(
        about=about, records=[_emitted(each) for _, each in sorted(needed.items())], rows=rows
    )


def replayed(agent: Agent, record: list[Record]) -> tuple[Any, int]:
    """Return what the agent of today remembers after `record`, and how much it emitted."""
    assert agent.table is not None
    shadow = ShadowRuntime(ALONE)
    asyncio.run(run_batch(agent, shadow, record, initial_knowledge(agent, ALONE)))
    bodies = [body for (*_, key), body in shadow.rows.items() if is_row(key)]
    state = decode_row(agent.table, bodies[0]).state if bodies else agent.table.initial
    return _plain(state), shadow.emitted


def _plain(state: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(state))


def records_of(history: History, row: Kept) -> list[Record]:
    """Return the records that the row received."""
    record_by_place = {(emitted.topic, emitted.offset): emitted for emitted in history.records}
    return [_record(record_by_place[place]) for place in row.received]


def agent_of(row: Kept) -> Agent:
    """Return the agent of today that keeps the row."""
    return load_agents()[row.agent]


def _emitted(record: Record) -> Emitted:
    return Emitted(
        topic=record.topic,
        offset=record.offset,
        key=(record.key or b"").decode(),
        value=(record.value or b"").decode(),
        headers={name: value.decode() for name, value in record.headers},
    )


def _record(emitted: Emitted) -> Record:
    return Record(
        topic=emitted.topic,
        partition=0,
        offset=emitted.offset,
        key=emitted.key.encode(),
        value=emitted.value.encode(),
        headers=tuple((name, value.encode()) for name, value in emitted.headers.items()),
    )
