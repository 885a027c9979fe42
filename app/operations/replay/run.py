"""Rebuilds a service's rows from topics in a sandbox, partition by partition, and compares them."""

from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import ClassVar

import msgspec
import rocksdict

from app.config import Config
from app.delivery.agent import Agent, Caller, Projection, counts, initial_knowledge
from app.delivery.agent_topics import consumed_topics
from app.delivery.processor import run_batch
from app.delivery.row import Row, decode_row, digest_of, is_row, with_digests
from app.kafka.reader import (
    AIOKafkaConsumer,
    TopicPartition,
    declared_places,
    read_to_end,
    reader,
    span,
)
from app.operations.replay.compare import RowComparison, compare
from app.operations.replay.event_order import Event, complete, event_of, received
from app.operations.replay.shadow_runtime import ShadowRuntime
from app.registry import load_agents, services
from app.wire import codecs, records
from app.wire.envelope import Undecodable, from_headers
from app.wire.topics import changelog_topic
from workflows.shared.errors import ErrorKind, PayflowError

FETCH_BYTES_MAX = 8 << 20
BATCH_EVENTS = 2_000
MARK = "payflow-sandbox.json"
"""The file that marks a sandbox: no other folder is ever emptied."""

Say = Callable[[str], None]
Place = tuple[int, bytes]


class ReplayError(PayflowError):
    """Nothing was replayed; the message says what is wrong and what to do."""

    kind: ClassVar[ErrorKind] = "invalid"


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay. Times are milliseconds; 0: from the beginning, or until now."""

    service: str
    sandbox: Path
    from_ms: int = 0
    to_ms: int = 0
    table: str = ""


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a replay."""

    service: str
    group: str
    events: int
    emitted: int
    """Records that the engine would have produced; a replay produces none."""
    tables: list[RowComparison]
    left_out: list[str]
    """Agents that call external systems: they are not replayed."""

    @property
    def same(self) -> bool:
        """Return whether no row differs."""
        return not any(table.different for table in self.tables)


async def replay(config: Config, options: ReplayOptions, say: Say) -> ReplayResult:
    """Rebuild the rows and return the result. Raises ReplayError."""
    agents = _agents(options)
    group = f"payflow-{options.service}-replay-{options.sandbox.name}"
    _prepare(options)
    events = emitted = 0
    tables: list[RowComparison] = []
    async with reader(config, FETCH_BYTES_MAX) as consumer:
        for agent in agents:
            assert agent.table is not None
            total = RowComparison(table=agent.table.name)
            for partition in range(config.partitions):
                shadow, read, comparison = await _partition(
                    consumer, config, agent, partition, options
                )
                _keep(options.sandbox / f"{agent.table.name}-{partition}.db", shadow)
                events, emitted = events + read, emitted + shadow.emitted
                _add(total, comparison)
                say(
                    f"{agent.name} {partition + 1}/{config.partitions}: {read} events, "
                    f"{comparison.equal} rows equal, {comparison.different} differ"
                )
            tables.append(total)
    await _commit(config, group, agents)
    left_out = [
        agent.name
        for agent in load_agents().values()
        if agent.service == options.service and isinstance(agent, Caller)
    ]
    return ReplayResult(
        service=options.service,
        group=group,
        events=events,
        emitted=emitted,
        tables=tables,
        left_out=left_out,
    )


def _agents(options: ReplayOptions) -> list[Agent]:
    if options.service not in services():
        service_names = ", ".join(services())
        raise ReplayError(f"no such service: {options.service!r}; there are {service_names}")
    own = [agent for agent in load_agents().values() if agent.service == options.service]
    agent_by_table = {
        agent.table.name: agent
        for agent in own
        if agent.table is not None and not isinstance(agent, Caller)
    }
    agents = [agent for name, agent in agent_by_table.items() if options.table in {"", name}]
    if not agents:
        table_names = ", ".join(agent_by_table) or "none"
        raise ReplayError(f"nothing to replay: tables of {options.service} are {table_names}")
    return agents


def _prepare(options: ReplayOptions) -> None:
    """Make the sandbox, or empty an existing one."""
    folder = options.sandbox
    mark = folder / MARK
    if folder.exists() and not mark.exists() and any(folder.iterdir()):
        raise ReplayError(f"{folder} is not a sandbox and not empty. Operator: name another folder")
    for store in folder.glob("*.db"):
        rocksdict.Rdict.destroy(str(store))
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_bytes(msgspec.json.encode({"service": options.service}))


async def _partition(
    consumer: AIOKafkaConsumer, config: Config, agent: Agent, partition: int, options: ReplayOptions
) -> tuple[ShadowRuntime, int, RowComparison]:
    """Return the rows of one partition made again, events received, and the comparison."""
    assert agent.table is not None
    table = agent.table
    live: dict[Place, bytes] = {}
    async for record, _ in _records(consumer, [TopicPartition(changelog_topic(table), partition)]):
        if record.value is None:
            live.pop((partition, record.key or b""), None)
        elif is_row(record.key):
            live[(partition, record.key or b"")] = record.value
    places = [TopicPartition(name, partition) for name in consumed_topics(agent)]
    by_row: dict[Place, list[Event]] = {}
    async for record, at_ms in _records(consumer, places, options.from_ms):
        if not options.to_ms or at_ms < options.to_ms:
            event = _event(agent, record, at_ms)
            for key in _keys(agent, record):
                by_row.setdefault((partition, key), []).append(event)
    shadow = ShadowRuntime(config)
    rows: dict[Place, Row[object]] = {at: decode_row(table, body) for at, body in live.items()}
    if counts(agent):
        rows = {at: with_digests(row) for at, row in rows.items()}
    incomplete = {at for at, row in rows.items() if not complete(row, by_row.get(at, []))}
    if isinstance(agent, Projection):
        queue = _counted(rows, by_row)
    else:
        queue = [each for at, row in rows.items() for each in received(row, by_row.get(at, []))]
    knowledge = initial_knowledge(agent, config)
    for start in range(0, len(queue), BATCH_EVENTS):
        batch = [each.record for each in queue[start : start + BATCH_EVENTS]]
        await run_batch(agent, shadow, batch, knowledge)
    replayed_rows = {at: body for at, body in shadow.rows.items() if at in live}
    return shadow, len(queue), compare(table, live, replayed_rows, incomplete)


def _counted(rows: dict[Place, Row[object]], by_row: dict[Place, list[Event]]) -> list[Event]:
    """Return the events of all counting rows, once each: their order does not matter."""
    event_by_place: dict[tuple[str, int], Event] = {}
    for at, row in rows.items():
        for each in received(row, by_row.get(at, [])):
            event_by_place[(each.record.source, each.record.offset)] = each
    return list(event_by_place.values())


def _event(agent: Agent, record: records.Record, at_ms: int) -> Event:
    """Return `record` as an event, under the id that the rows of `agent` remember."""
    event = event_of(record, at_ms)
    return msgspec.structs.replace(event, id=digest_of(event.id)) if counts(agent) else event


def _keys(agent: Agent, record: records.Record) -> Iterable[bytes]:
    """Return the keys of the rows that `record` touches."""
    if not isinstance(agent, Projection):
        return (record.key or b"",)
    try:
        envelope = from_headers(record.headers)
        message = codecs.decode(record.value, envelope, record.key)
    except Undecodable:
        return ()  # Poison counts in no row.
    return tuple(key.encode() for key in agent.rows(message, envelope))


def _add(total: RowComparison, part: RowComparison) -> None:
    total.equal += part.equal
    total.different += part.different
    total.not_comparable += part.not_comparable
    total.differences = [*total.differences, *part.differences][:50]


def _keep(path: Path, shadow: ShadowRuntime) -> None:
    store = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))
    for (_, key), body in shadow.rows.items():
        store[key] = body
    store.close()


async def _records(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], from_ms: int = 0
) -> AsyncIterator[tuple[records.Record, int]]:
    """Yield the records of `places` from `from_ms` to their current ends, and their times (ms)."""
    begins, ends = await span(consumer, places)
    if from_ms:
        later = await consumer.offsets_for_times(dict.fromkeys(places, from_ms))
        begins = {at: later[at].offset if later[at] else ends[at] for at in places}
    async for record in read_to_end(consumer, begins, ends):
        yield records.as_read(record), record.timestamp


async def _commit(config: Config, group: str, agents: Iterable[Agent]) -> None:
    """Commit the offsets read in a group of the replay's own: the live group is not touched."""
    async with reader(config, group_id=group) as consumer:
        places = [
            place
            for agent in agents
            for name in consumed_topics(agent)
            for place in declared_places(name, config)
        ]
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
