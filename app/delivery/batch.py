"""The result of one batch so far: rows by partition and key, and records to produce.

It only reads rows and the clock; `app.delivery.processor` stores and produces.
"""

from collections.abc import Sequence
from contextlib import suppress

import msgspec
import structlog

from app.delivery import lost_copies, row
from app.delivery.agent import Agent, counts, is_projection, topic_received_on
from app.delivery.dead_letters import stack_fingerprint, to_dead, to_retry
from app.delivery.outbox import outgoing_of
from app.delivery.row import OutboxEntry, Row
from app.delivery.runtime import BatchResult, Place, Runtime
from app.wire import codecs, personal
from app.wire.envelope import Envelope, derive_id
from app.wire.records import Outgoing, Record, due_ms, header, is_retry
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of

log = structlog.get_logger(__name__)


class Batch:
    """One batch of one agent: rows and records staged, and not written yet."""

    def __init__(self, agent: Agent, runtime: Runtime) -> None:
        self.agent = agent
        self.runtime = runtime
        self.rows: dict[Place, Row[object]] = {}
        self.marks: dict[Place, bytes] = {}
        """Marks of what is applied once, for ever; stored with the rows."""
        self.before: list[Outgoing] = []
        """Produced before the rows are put: dead letters, retries, and what no row holds."""
        self.after: list[Outgoing] = []
        """Produced once the rows that hold them are stored: outbox entries."""
        self.handled = BatchResult()
        self._rollup = agent.rollup if is_projection(agent) else None
        self._began_ms = runtime.now_ms()

    def load(self, record: Record, at: Place) -> Row[object] | None:
        """Return the row at `at`; None when it is unreadable and `record` was dead-lettered."""
        try:
            return self._loaded(record, at)
        except msgspec.DecodeError as error:
            detail = f"table {self.agent.table and self.agent.table.name}: {error}"
            self.dead_letter(record, "row_unreadable", detail, error)
            return None

    def _loaded(self, record: Record, at: Place) -> Row[object]:
        """Return the row at `at`. Raises DecodeError, and Poison, which ends the worker.

        Passed by, an outbox that only a later version can read would count as produced.
        """
        table = self.agent.table
        if table is None:
            return Row(state=None)
        if at in self.rows:
            return self.rows[at]
        body = self.runtime.read(table, *at)
        if body is None:
            return row.fresh(table)
        return self._produced_again(record, at, row.decode_row(table, body))

    def _produced_again(self, record: Record, at: Place, loaded: Row[object]) -> Row[object]:
        """Produce the row's outbox again: a crash may have come before. It precedes what is new."""
        pending: list[OutboxEntry] = []
        for outbox_entry in loaded.outbox:
            through = self.runtime.through(outbox_entry.source)
            if through < 0:
                # No committed offset of a log that is gone says that it was produced. So it is
                # produced with `record`, and counts as produced once that offset is committed.
                pending.append(
                    msgspec.structs.replace(
                        outbox_entry, source=record.source, offset=record.offset
                    )
                )
            elif outbox_entry.offset >= through:
                pending.append(outbox_entry)
        for outbox_entry in pending:
            messages = [codecs.decode_emitted(body) for body in outbox_entry.bodies]
            self.after += outgoing_of(self.agent, outbox_entry, messages)
        loaded = msgspec.structs.replace(loaded, outbox=tuple(pending))
        if pending:
            self.rows[at] = loaded
        return loaded

    def dropped(self, record: Record, envelope: Envelope, at: Place, before: Row[object]) -> bool:
        """Return whether this event was applied before, or is parked under a newer copy.

        Its row is put again then: after a kill it may be on disk without its changelog record.
        """
        repeated = row.applied(before, record, envelope.id) or row.superseded(
            before, record, envelope.id
        )
        if repeated:
            self.handled.duplicates += 1
            self.handled.redelivered += row.behind(before, record)
            self.pass_by(record, at, before)
        return repeated

    def is_marked(self, mark: Place, record: Record) -> bool:
        """Return whether another record has applied what `mark` stands for; it is put again."""
        table = self.agent.table
        mark_body = self.marks.get(mark) or (table and self.runtime.read(table, *mark))
        if mark_body:
            self.marks[mark] = mark_body
        return bool(mark_body) and mark_body != row.mark_of(record)

    def pass_by(self, record: Record, at: Place, before: Row[object]) -> None:
        """Move the applied offsets of the row past `record`, and nothing else."""
        self.rows[at] = row.advanced(before, record)

    def store(  # noqa: PLR0913  the event, its row and what follows
        self,
        record: Record,
        envelope: Envelope,
        at: Place,
        before: Row[object],
        state: object,
        outbox_entry: OutboxEntry | None = None,
    ) -> None:
        """Stage the row with `state`, the event noted, and what was decided to be produced."""
        after = row.store(before, state, record, envelope, counting=counts(self.agent))
        self.rows[at] = row.await_production(after, outbox_entry)

    def applied(self, record: Record, envelope: Envelope, message: Message) -> None:
        """Note for metrics that `message` of `record` was applied."""
        self.handled.records.append(record)
        self.handled.applied.append((envelope, self.runtime.now_ms()))
        self.handled.messages.append(message)

    def encoded(self) -> dict[int, dict[bytes, bytes]]:
        """Return the staged rows as bytes, by partition and key."""
        rows: dict[int, dict[bytes, bytes]] = {}
        # A mark without its row does no harm in a changelog; a row without its mark does.
        staged = self.marks | {at: row.encode_row(each) for at, each in self.rows.items()}
        for (partition, key), body in staged.items():
            rows.setdefault(partition, {})[key] = body
        return rows

    def outbox_entry(
        self, emitted: Sequence[Message], record: Record, envelope: Envelope, context: row.Context
    ) -> OutboxEntry | None:
        """Return `emitted`, caused by the event of `envelope`, in the form that a row can keep.

        Raises AssertionError when the agent may not produce one of them.
        """
        if not emitted:
            return None
        for message in emitted:
            if topic_of(message) not in self.agent.produces:
                raise AssertionError(f"{self.agent.name} may not emit {type_name(type(message))}")
        received = _travelling(envelope, context)
        self.handled.emitted += emitted
        return OutboxEntry(
            cause=envelope.id,
            source=record.source,
            offset=record.offset,
            at_ms=self.runtime.now_ms(),
            received_ms=self._began_ms,
            correlation_id=received.correlation_id,
            traceparent=received.traceparent,
            baggage=received.baggage,
            bodies=tuple(msgspec.Raw(codecs.encode(message)) for message in emitted),
        )

    def produce(self, outbox_entry: OutboxEntry | None, messages: Sequence[Message]) -> None:
        """Produce the `messages` of `outbox_entry` once the row that holds them is stored.

        Without a table no row holds them. An answer from outside is produced at once then: after a
        crash it is asked for again, and has its id and a later time.
        """
        if outbox_entry is not None:
            outgoing = self.after if self.agent.table is not None else self.before
            outgoing += outgoing_of(self.agent, outbox_entry, messages)

    def roll_up(self) -> None:
        """Produce the new state of every counting row that this batch has touched, once each."""
        if self._rollup is None:
            return
        for (partition, key), touched in self.rows.items():
            name = key.decode()
            message = self._rollup(name, touched.state, partition)
            mark = ",".join(
                f"{source}@{at}" for source, at in sorted(touched.applied_offsets.items())
            )
            self.handled.emitted.append(message)
            outbox_entry = OutboxEntry(
                cause=derive_id(name, partition, mark),
                source="",
                offset=0,
                at_ms=self.runtime.now_ms(),
                correlation_id=name,
                bodies=(msgspec.Raw(codecs.encode(message)),),
            )
            self.after += outgoing_of(self.agent, outbox_entry, (message,))

    def dead_letter(
        self, record: Record, cause: str, detail: str, error: BaseException | None
    ) -> None:
        """Stage `record` as a dead letter: its bytes, its headers and why."""
        self.handled.dead.append((record.topic, cause))
        self.handled.dead_letters.append(
            {
                "cause": cause,
                "detail": personal.masked_detail(detail)[:300],
                "origin": record.origin,
                "correlation_id": header(record, "ce_correlationid")[:128],
            }
        )
        self.before.append(
            to_dead(
                record,
                service=self.agent.service,
                agent=self.agent.name,
                cause=cause,
                detail=detail,
                stack=stack_fingerprint(error) if error else "",
                now_ms=self.runtime.now_ms(),
                first_topic=topic_received_on(self.agent, record),
            )
        )

    def park(  # noqa: PLR0913  the event, its row, and how often and why it waits
        self,
        record: Record,
        envelope: Envelope,
        at: Place,
        before: Row[object],
        attempt: int,
        reason: str,
        times_overdue: int = 0,
    ) -> None:
        """Stage `record` for a new try, so that later events of its key wait."""
        copy = to_retry(
            record,
            self.agent.service,
            attempt,
            self.runtime.now_ms(),
            reason,
            topic_received_on(self.agent, record),
            times_overdue,
        )
        self.before.append(copy)
        self.handled.retried.append(reason)
        self.rows[at] = row.park(row.advanced(before, record), envelope.id, due_ms(copy))

    def unpark(self, envelope: Envelope, at: Place) -> None:
        """Stop parking the event: the next one of its key may be tried."""
        self.rows[at] = row.unpark(self.rows[at], envelope.id)

    def unpark_refused(self, record: Record, at: Place) -> None:
        """Stop parking the event of `record`, a dead letter now, if that is its latest copy.

        Where it is forged, the true one is still handled when it comes.
        """
        event_id = header(record, "ce_id")
        if is_retry(record):
            # Where the row is unreadable, whatever comes for its key is dead-lettered.
            with suppress(msgspec.DecodeError):
                before = self._loaded(record, at)
                if event_id in before.parked and not row.superseded(before, record, event_id):
                    self.rows[at] = row.unpark(before, event_id)

    def take_as_lost(
        self, record: Record, at: Place, before: Row[object], lost: Sequence[str]
    ) -> Row[object]:
        """Dead-letter the parked events `lost`, whose copies do not come; return the row after."""
        after, first_topic = before, topic_received_on(self.agent, record)
        for event_id in lost:
            copy = lost_copies.record_of(record, before, first_topic, event_id)
            detail = lost_copies.detail(before, event_id)
            self.dead_letter(copy, lost_copies.CAUSE, detail, None)
            log.error("parked event lost", event_id=event_id, partition=at[0], origin=copy.origin)
            after = row.unpark(after, event_id)
        self.rows[at] = after
        return after

    def give_up(self, envelope: Envelope, at: Place, outbox_entry: OutboxEntry | None) -> None:
        """Try the event no more; `outbox_entry` says so to others."""
        after = row.give_up(self.rows[at], envelope.id)
        self.rows[at] = row.await_production(after, outbox_entry)


def _travelling(envelope: Envelope, context: row.Context) -> Envelope:
    """Return `envelope` with the trace and baggage of its transaction: a deadline carries none."""
    if envelope.baggage or not context.baggage:
        return envelope
    return msgspec.structs.replace(
        envelope,
        correlation_id=context.correlation_id,
        traceparent=context.traceparent,
        baggage=context.baggage,
    )
