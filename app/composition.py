"""The composition root: opens every room, says which topics the house needs, runs one service."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

import agents
import tables
from app.config import Config
from app.delivery.agent import Room, opened
from app.kafka.admin import TopicSpec
from app.wire import topics
from app.wire.records import dead_topic, redrive_topic, retry_topics
from app.worker.faust_app import House, channel_of, declare_table, heard_topics, make_app
from app.worker.runner import Runner

POISON_BYTES_MAX = 3_000_000
"""What a topic accepts: poison must be able to arrive, or it could not be laid aside."""
BY_THE_BROKERS_CLOCK = {"message.timestamp.type": "LogAppendTime"}
"""Of open topics: what others say of the time is not to be relied on."""
LETTERS_BYTES_MAX = 4_000_000
"""What dead, retry and redrive topics accept: the longest poison, and why it lies there."""
ROW_BYTES_MAX = 16_000_000
"""What a changelog accepts: a row with the longest order and all that is told of it at once."""


def open_rooms() -> dict[str, Room]:
    """Return every room of the house by name: a new file under agents/ is a new room."""
    for found in pkgutil.iter_modules(agents.__path__, "agents."):
        importlib.import_module(found.name)
    return opened


def services() -> tuple[str, ...]:
    """Return the name of every service, sorted."""
    return tuple(sorted({room.service for room in open_rooms().values()}))


def wanted_topics(config: Config) -> list[TopicSpec]:
    """Return every topic of the house with its partitions, cleanup and retention."""
    wanted: dict[str, TopicSpec] = {}
    for room in open_rooms().values():
        for heard in room.hears:
            _want(wanted, dead_topic(heard.name, room.service), config, retention_ms=-1)
            if room.retries:
                for name in retry_topics(heard.name, room.service):
                    _want(wanted, name, config)
        _want(wanted, redrive_topic(room.name), config, retention_ms=-1)
        if room.due is not None:
            timers = topics.timers_of(room.name)
            _want(wanted, timers, config)
            _want(wanted, dead_topic(timers, room.service), config, retention_ms=-1)
    for topic in topics.declared.values():
        _want(
            wanted,
            topic.name,
            config,
            retention_ms=topic.retention_ms,
            cleanup=topic.cleanup,
            more=BY_THE_BROKERS_CLOCK if topic.open else None,
        )
    for table in tables.declared.values():
        _want(wanted, changelog_of(table), config, retention_ms=-1, cleanup="compact")
    workers = TopicSpec(
        name=topics.WORKERS,
        partitions=topics.partitions_of(topics.WORKERS, config),
        retention_ms=600_000,
        config={"segment.ms": "300000"},
    )
    return [*wanted.values(), workers]


def changelog_of(table: tables.Table) -> str:
    """Return the changelog topic of `table`, as Faust names it."""
    return f"payflow-{table.service}-{table.name}-changelog"


def owned_topics(room: Room) -> set[str]:
    """Return what only the owner of the partitions of `room` may write."""
    owned = {topic.name for topic in room.tells}
    for heard in room.hears:
        owned |= {dead_topic(heard.name, room.service), *retry_topics(heard.name, room.service)}
    if room.keeps is not None:
        owned.add(changelog_of(room.keeps))
    return owned


def build(config: Config) -> tuple[House, Sequence[Runner]]:
    """Return the Faust app of `config.service` with its rooms open.

    Raises ValueError when no room belongs to that service.
    """
    rooms = [room for room in open_rooms().values() if room.service == config.service]
    if not rooms:
        raise ValueError(
            f"no room belongs to service {config.service!r}. "
            f"Operator: set PAYFLOW_SERVICE to one of {', '.join(services())}."
        )
    app = make_app(config)
    runners = [_open(app, room, config) for room in rooms]
    return app, runners


def _open(app: House, room: Room, config: Config) -> Runner:
    store = declare_table(app, room, config)
    runner = Runner(app, room, config, store)
    app.owned_topics |= owned_topics(room)
    channel = channel_of(app, heard_topics(room))

    async def work(stream: Any) -> None:
        await runner.run(stream)

    work.__name__ = room.name
    work.__doc__ = (importlib.import_module(f"agents.{room.name}").__doc__ or "").strip()
    app.agent(channel, name=room.name)(work)
    if room.due is not None and room.keeps is not None:
        app.tables[room.keeps.name].on_recover(runner.rebuild)
        app.task(runner.wake)
    return runner


def _want(  # noqa: PLR0913  a topic has these facts
    wanted: dict[str, TopicSpec],
    name: str,
    config: Config,
    *,
    retention_ms: int = 7 * topics.DAY_MS,
    cleanup: str = "delete",
    more: Mapping[str, str] | None = None,
) -> None:
    longest = POISON_BYTES_MAX
    if name.endswith((".dead", ".redrive")) or ".retry-" in name:
        longest = LETTERS_BYTES_MAX
    elif name.endswith("-changelog"):
        longest = ROW_BYTES_MAX
    wanted[name] = TopicSpec(
        name=name,
        partitions=topics.partitions_of(name, config),
        cleanup=cleanup,
        retention_ms=retention_ms,
        config={"max.message.bytes": str(longest), **(more or {})},
    )
