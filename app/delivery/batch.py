"""What one batch has decided so far: rows by partition and key, and what is to be told.

Nothing here touches the world but `Port.read` and the clock; `app.delivery.processor` says when it
all happens.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from app.delivery import row
from app.delivery.agent import Room, home_topic
from app.delivery.row import Row, Saying
from app.delivery.runtime import Handled, Place, Port
from app.wire import codecs, envelope, topics
from app.wire import records as record
from app.wire.envelope import Envelope
from app.wire.records import Outgoing, Record
from workflows.shared.message import Message, type_name


class Stage:
    """One batch of one room, between what was read and what will be written."""

    def __init__(self, room: Room, port: Port) -> None:
        self.room = room
        self.port = port
        self.rows: dict[Place, Row[Any]] = {}
        self.before: list[Outgoing] = []
        """Told before the rows are put: dead letters, retries, answers from outside."""
        self.after: list[Outgoing] = []
        """Told once the decision to tell it is safe: in a row, acknowledged."""
        self.handled = Handled()
        self._seen_max = row.SEEN_COUNTING_MAX if room.rollup else row.SEEN_MAX
        self._began_ms = port.now_ms()

    def load(self, given: Record, at: Place) -> Row[Any] | None:
        """Return the row at `at`; None when it is unreadable and `given` was laid aside."""
        table = self.room.keeps
        if table is None:
            return Row(memory=None)
        if at in self.rows:
            return self.rows[at]
        body = self.port.read(table, *at)
        if body is None:
            return row.fresh(table)
        try:
            return self._retold(at, row.decode_row(table, body))
        except msgspec.DecodeError as error:
            self.lay_aside(given, "row_unreadable", f"table {table.name}: {error}", error)
            return None

    def _retold(self, at: Place, loaded: Row[Any]) -> Row[Any]:
        """Tell again what a crash may have left untold, before anything new of this key."""
        owed = tuple(
            saying for saying in loaded.outbox if saying.offset >= self.port.through(saying.source)
        )
        for saying in owed:
            words = [codecs.decode_told(body) for body in saying.bodies]
            self.after += self._outgoing_of(saying, words)
        loaded = msgspec.structs.replace(loaded, outbox=owed)
        if owed:
            self.rows[at] = loaded
        return loaded

    def dropped(self, given: Record, head: Envelope, at: Place, before: Row[Any]) -> bool:
        """Return whether this event was applied before; its row is then put again.

        After a kill the row may be on disk without its changelog record.
        """
        repeated = row.applied(before, given, head.id)
        if repeated:
            self.handled.duplicates += 1
            self.handled.redelivered += row.behind(before, given)
            self.pass_by(given, at, before)
        return repeated

    def pass_by(self, given: Record, at: Place, before: Row[Any]) -> None:
        """Move the fence of the row past `given`, and nothing else."""
        self.rows[at] = row.fenced(before, given)

    def remember(  # noqa: PLR0913  the event, its row and what follows
        self,
        given: Record,
        head: Envelope,
        at: Place,
        before: Row[Any],
        memory: Any,
        saying: Saying | None = None,
    ) -> None:
        """Stage the row with `memory`, the event noted, and what was decided to be told."""
        after = row.remember(before, memory, given, head, self._seen_max)
        if saying is not None:
            after = msgspec.structs.replace(after, outbox=(*after.outbox, saying))
        self.rows[at] = after

    def applied(self, given: Record, head: Envelope, word: Message) -> None:
        """Note for those who count that `word` of `given` was applied."""
        self.handled.records.append(given)
        self.handled.applied.append((head, self.port.now_ms()))
        self.handled.words.append(word)

    def encoded(self) -> dict[int, dict[bytes, bytes]]:
        """Return the staged rows as bytes, by partition and key."""
        rows: dict[int, dict[bytes, bytes]] = {}
        for (partition, key), staged in self.rows.items():
            rows.setdefault(partition, {})[key] = row.encode_row(staged)
        return rows

    def say(
        self, told: Sequence[Message], given: Record, head: Envelope, context: row.Context
    ) -> Saying | None:
        """Return `told`, caused by the event of `head`, in the form that a row can keep.

        Raises AssertionError when the room may not tell one of them.
        """
        if not told:
            return None
        for word in told:
            if topics.topic_of(word) not in self.room.tells:
                raise AssertionError(f"{self.room.name} may not tell {type_name(type(word))}")
        heard = _travelling(head, context)
        self.handled.told += told
        return Saying(
            cause=head.id,
            source=given.source,
            offset=given.offset,
            at_ms=self.port.now_ms(),
            heard_ms=self._began_ms,
            correlation_id=heard.correlation_id,
            traceparent=heard.traceparent,
            baggage=heard.baggage,
            bodies=tuple(msgspec.Raw(codecs.encode(word)) for word in told),
        )

    def tell_after(self, saying: Saying | None, words: Sequence[Message]) -> None:
        """Tell `saying`, which says `words`, when the rows are safe."""
        if saying is not None:
            self.after += self._outgoing_of(saying, words)

    def tell_before(self, saying: Saying | None, words: Sequence[Message]) -> None:
        """Tell `saying`, which says `words`, before any row is put: it came from outside.

        Asked again after a crash, the outside may answer otherwise. Another answer is another
        event, so its id depends on what it says.
        """
        if saying is not None:
            content = hashlib.sha256(b"\0".join(bytes(body) for body in saying.bodies))
            cause = envelope.derive_id(saying.cause, content.hexdigest())
            self.before += self._outgoing_of(saying, words, cause)

    def roll_up(self) -> None:
        """Tell the new state of every counting row that this batch has touched, once each."""
        if self.room.rollup is None:
            return
        for (partition, key), touched in self.rows.items():
            name = key.decode()
            word = self.room.rollup(name, touched.memory, partition)
            mark = ",".join(f"{source}@{at}" for source, at in sorted(touched.fence.items()))
            self.handled.told.append(word)
            saying = Saying(
                cause=envelope.derive_id(name, partition, mark),
                source="",
                offset=0,
                at_ms=self.port.now_ms(),
                correlation_id=name,
                bodies=(msgspec.Raw(codecs.encode(word)),),
            )
            self.after += self._outgoing_of(saying, (word,))

    def lay_aside(
        self, given: Record, cause: str, detail: str, error: BaseException | None
    ) -> None:
        """Stage `given` as a dead letter: its bytes, its headers and why."""
        self.handled.dead.append((given.topic, cause))
        self.handled.letters.append(
            {
                "cause": cause,
                "detail": detail[:300],
                "origin": given.origin,
                "correlation_id": record.header(given, "ce_correlationid")[:128],
            }
        )
        self.before.append(
            record.to_dead(
                given,
                service=self.room.service,
                room=self.room.name,
                cause=cause,
                detail=detail,
                stack=record.stack_fingerprint(error) if error else "",
                now_ms=self.port.now_ms(),
                home=home_topic(self.room, given),
            )
        )

    def park(  # noqa: PLR0913  the event, its row, and how often and why it waits
        self,
        given: Record,
        head: Envelope,
        at: Place,
        before: Row[Any],
        attempt: int,
        reason: str,
    ) -> None:
        """Stage `given` for a new try, and its key to wait behind it."""
        now_ms = self.port.now_ms()
        home = home_topic(self.room, given)
        self.before.append(record.to_retry(given, self.room.service, attempt, now_ms, reason, home))
        self.handled.retried.append(reason)
        moved = row.fenced(before, given)
        waiting = moved.parked if head.id in moved.parked else (*moved.parked, head.id)
        self.rows[at] = msgspec.structs.replace(moved, parked=waiting)

    def unpark(self, head: Envelope, at: Place) -> None:
        """Let the key's next event go: this one is through."""
        staged = self.rows[at]
        waiting = tuple(parked for parked in staged.parked if parked != head.id)
        self.rows[at] = msgspec.structs.replace(staged, parked=waiting)

    def _outgoing_of(
        self, saying: Saying, words: Sequence[Message], cause: str = ""
    ) -> list[Outgoing]:
        """Return `saying` as records: the same ids and bodies whenever it is told."""
        records: list[Outgoing] = []
        for ordinal, (word, body) in enumerate(zip(words, saying.bodies, strict=True)):
            event_id = envelope.derive_id(cause or saying.cause, self.room.name, ordinal)
            topic = topics.topic_of(word)
            key = topic.key(word)
            told = Envelope(
                id=event_id,
                type=type_name(type(word)),
                source=f"/payflow/{self.room.service}",
                time_ms=saying.at_ms,
                subject=key,
                correlation_id=saying.correlation_id,
                causation_id=saying.cause,
                traceparent=envelope.child_traceparent(saying.traceparent, event_id),
                baggage=saying.baggage,
                heard_ms=saying.heard_ms,
            )
            headers = envelope.to_headers(told)
            value = bytes(body)
            records.append(
                Outgoing(topic=topic.name, key=key.encode(), value=value, headers=headers)
            )
        return records


def _travelling(head: Envelope, context: row.Context) -> Envelope:
    """Return `head` with what travels with its transaction: a deadline carries none itself."""
    if head.baggage or not context.baggage:
        return head
    return msgspec.structs.replace(
        head,
        correlation_id=context.correlation_id,
        traceparent=context.traceparent,
        baggage=context.baggage,
    )
