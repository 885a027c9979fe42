"""The delivery engine: at least once, with effects once.

A batch goes through five steps, always in this order:

    read      decode; what can never be handled becomes a dead letter
    decide    a row a key; an event that the row has processed before is dropped
    store     rows, with what is to be produced (the outbox), go to RocksDB and the changelog
    produce   the broker acknowledges every record emitted
    commit    only now may the offsets move (the caller does that)

A crash between any two of them repeats work and never loses it: a redelivered event finds in its
row what was decided, and produces just that again, with the same ids. A second decision could
differ, since topics are read in another order after a crash. Dead letters, retries, and the answers
from outside of an agent without a table are produced before the rows are stored. The engine does
not know Kafka: it reaches the world through `Runtime`.
"""

import asyncio
from collections.abc import Sequence

from app.delivery import decision, lost_copies
from app.delivery.agent import (
    Agent,
    Caller,
    Decider,
    Projection,
    Transient,
    due_of,
    is_caller,
    is_decider,
    is_projection,
    topic_received_on,
)
from app.delivery.batch import Batch
from app.delivery.row import Row, mark_key, mark_of
from app.delivery.runtime import BatchResult, Place, Runtime
from app.wire import codecs, signing
from app.wire.envelope import Envelope, Undecodable, derive_id, from_headers
from app.wire.log_context import About, logging_about
from app.wire.records import (
    UNREADABLE,
    Record,
    UnreadableBatch,
    attempts,
    times_overdue,
    unreadable_text,
)
from app.wire.topics import RETRY_LEVELS_SECONDS, timers_topic
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message, type_name
from workflows.shared.reaction import WORKFLOW
from workflows.shared.topic import TIMERS, topic_of

CALLS_AT_ONCE_MAX = 64
"""External calls of one agent at the same time."""

Received = tuple[Record, Envelope, Message]


async def run_batch(
    agent: Agent, runtime: Runtime, records: Sequence[Record], knowledge: object = None
) -> BatchResult:
    """Take `records` through all checkpoints but the commit; return the result.

    `knowledge` is what an informed agent decides with. Raises only when the broker or the disk
    fails: then nothing may be committed.
    """
    with logging_about(agent.service, agent.name) as about:
        return await _run_batch(Batch(agent, runtime), records, knowledge, about)


async def _run_batch(
    batch: Batch, records: Sequence[Record], knowledge: object, about: About
) -> BatchResult:
    agent, runtime = batch.agent, batch.runtime
    received = _read_all(batch, records, about)
    runtime.checkpoint("read")
    if is_caller(agent):
        await _call_all(batch, agent, received)
    else:
        for record, envelope, message in received:
            about.at(record, envelope)
            if is_decider(agent):
                _decide(batch, agent, (record, envelope, message), knowledge)
            elif is_projection(agent):
                _count(batch, agent, (record, envelope, message))
        about.at(None)
    batch.roll_up()
    runtime.checkpoint("decided")
    if batch.before:
        await runtime.publish(batch.before)
    runtime.checkpoint("set aside")
    if batch.rows and agent.table is not None:
        await runtime.store(agent.table, batch.encoded())
    runtime.checkpoint("stored")
    if batch.after:
        await runtime.publish(batch.after)
    runtime.checkpoint("produced")
    due = due_of(agent)
    if due is not None:
        batch.handled.due = {at: due(staged.state) for at, staged in batch.rows.items()}
    return batch.handled


def _read_all(batch: Batch, records: Sequence[Record], about: About) -> list[Received]:
    received: list[Received] = []
    for record in records:
        about.at(record)
        item = _read(batch, record)
        if item is not None:
            received.append(item)
    about.at(None)
    return received


def _read(batch: Batch, record: Record) -> Received | None:
    """Return `record` decoded; None when it became a dead letter."""
    if isinstance(record.value, UnreadableBatch):
        batch.dead_letter(record, UNREADABLE, unreadable_text(record, record.value), None)
        return None
    try:
        envelope = from_headers(record.headers)
        message = codecs.decode(record.value, envelope, record.key)
        _check_topic(batch.agent, record, envelope, message)
        _check_source(batch.runtime, record, envelope, message)
    except Undecodable as error:
        batch.dead_letter(record, error.cause, str(error), error)
        batch.unpark_refused(record, _place(record))
    else:
        topic = topic_of(message)
        trusted = signing.trusted_envelope(envelope, record, topic)
        trusted = signing.in_own_transaction(trusted, record, message)
        return record, trusted, signing.trusted_message(message, record, topic)
    return None


def _check_topic(agent: Agent, record: Record, envelope: Envelope, message: Message) -> None:
    first_topic = topic_received_on(agent, record)
    carrier = topic_of(message)
    due = timers_topic(agent.name) if carrier is TIMERS else carrier.name
    if due != first_topic:
        raise codecs.Poison("wrong_topic", f"{type_name(type(message))} belongs on {due}")
    if isinstance(message, DeadlineReached) and envelope.id != derive_id(
        agent.name, message.key, message.due_at_ms
    ):
        # All deadlines are one message, and their signature does not say for which agent: their id
        # does.
        raise codecs.Poison("wrong_topic", "a deadline of another agent")


def _check_source(runtime: Runtime, record: Record, envelope: Envelope, message: Message) -> None:
    topic = topic_of(message)
    if not runtime.in_own_partition(record):
        raise codecs.Poison("wrong_partition", "its key belongs to another partition")
    if not runtime.is_authentic(record, topic):
        raise codecs.Poison(
            "forged",
            "its signature is missing or wrong: Payflow did not produce it. Operator: who did?",
        )
    if signing.from_the_future(envelope, record, topic):
        raise codecs.Poison("from_the_future", "its ce_time is later than its time of arrival")


def _decide(batch: Batch, agent: Decider[object], event: Received, knowledge: object) -> None:
    """Apply one event to the row of its key."""
    record, envelope, message = event
    at = _place(record)
    before = batch.load(record, at)
    if before is None:
        return
    marks = [(record.partition, mark_key(at[1], name)) for name in agent.once(message)]
    is_marked = any(batch.is_marked(mark, record) for mark in marks)
    if batch.dropped(record, envelope, at, before):
        return
    if is_marked:
        batch.handled.duplicates += 1
        batch.pass_by(record, at, before)
        return
    workflow = envelope.baggage.get(WORKFLOW) or before.context.baggage.get(WORKFLOW, "")
    if agent.workflow and workflow not in ("", agent.workflow):
        batch.applied(record, envelope, message)
        return
    try:
        state, emitted = decision.apply(
            agent, before.state, message, envelope.time_ms, knowledge, workflow
        )
        outbox_entry = batch.outbox_entry(emitted, record, envelope, before.context)
    except Exception as error:  # noqa: BLE001  no exception leaves an agent
        batch.dead_letter(record, type(error).__name__, str(error), error)
        batch.pass_by(record, at, before)
        return
    batch.applied(record, envelope, message)
    batch.store(record, envelope, at, before, state, outbox_entry)
    for mark in marks[:1]:
        batch.marks[mark] = mark_of(record)
    batch.produce(outbox_entry, emitted)


def _count(batch: Batch, agent: Projection[object], event: Received) -> None:
    """Apply one event to each row that it counts in."""
    record, envelope, message = event
    try:
        for key in agent.rows(message, envelope):
            at = (record.partition, key.encode())
            before = batch.load(record, at)
            if before is None or batch.dropped(record, envelope, at, before):
                continue
            state = agent.evolve(before.state, message, envelope)
            batch.store(record, envelope, at, before, state)
    except Exception as error:  # noqa: BLE001  no exception leaves an agent
        batch.dead_letter(record, type(error).__name__, str(error), error)
        return
    batch.applied(record, envelope, message)


async def _call_all(batch: Batch, agent: Caller[Message], received: Sequence[Received]) -> None:
    """Make the call of every event: keys concurrently, the events of one key in order."""
    by_key: dict[Place, list[Received]] = {}
    for item in received:
        by_key.setdefault(_place(item[0]), []).append(item)
    slots = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def in_turn(items: list[Received]) -> None:
        async with slots:
            # A task has a context of its own, so its log lines carry its own correlation id.
            with logging_about(agent.service, agent.name) as about:
                for item in items:
                    about.at(item[0], item[1])
                    await _call(batch, agent, item)

    async with asyncio.TaskGroup() as group:
        for items in by_key.values():
            group.create_task(in_turn(items))


async def _call(batch: Batch, agent: Caller[Message], event: Received) -> None:
    """Make the call of one event; park it and its followers when that may work later."""
    record, envelope, message = event
    at = _place(record)
    before = batch.load(record, at)
    if before is None or batch.dropped(record, envelope, at, before):
        return
    if before.parked and before.parked[0] != envelope.id:
        waiting = _wait(batch, record, envelope, before)
        if waiting is None:
            return
        before = waiting
    try:
        emitted = await _ask(batch, agent, message)
        entry = batch.outbox_entry(emitted, record, envelope, before.context)
    except Transient as error:
        attempt = attempts(record) + 1
        if attempt <= len(RETRY_LEVELS_SECONDS):
            batch.park(record, envelope, at, before, attempt, str(error))
            return
        batch.dead_letter(record, "exhausted", str(error), error)
        last = agent.give_up(message, str(error)) if agent.give_up is not None else ()
        entry = batch.outbox_entry(last, record, envelope, before.context)
        batch.pass_by(record, at, before)
        batch.give_up(envelope, at, entry)
        batch.produce(entry, last)
    except Exception as error:  # noqa: BLE001  no exception leaves an agent
        batch.dead_letter(record, type(error).__name__, str(error), error)
        batch.pass_by(record, at, before)
        batch.unpark(envelope, at)
    else:
        batch.applied(record, envelope, message)
        batch.store(record, envelope, at, before, before.state, entry)
        batch.produce(entry, emitted)
        batch.unpark(envelope, at)


def _wait(
    batch: Batch, record: Record, envelope: Envelope, before: Row[object]
) -> Row[object] | None:
    """Park a follower again; return its row when nothing is before it but what is lost."""
    at = _place(record)
    lost = lost_copies.long_overdue(before, envelope.id, batch.runtime.now_ms())
    times = times_overdue(record) + 1 if lost else 0
    if times > lost_copies.LOST_TIMES:
        before, times = batch.take_as_lost(record, at, before, lost), 0
    if before.parked[:1] in ((), (envelope.id,)):
        return before
    waited, why = attempts(record), "waits behind another of its key"
    batch.park(record, envelope, at, before, waited, why, times)
    return None


async def _ask(batch: Batch, agent: Caller[Message], message: Message) -> Sequence[Message]:
    try:
        return await agent.call(message)
    finally:
        # One batch may hold thousands of slow calls: each counts as progress for the watchdog.
        batch.runtime.checkpoint("called")


def _place(record: Record) -> Place:
    return record.partition, record.key or b""
