"""What every handler of the API needs: queries, the directory, the clock, a producer."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from aiohttp import web
from cachetools import FIFOCache
from yarl import URL

from app.config import Config
from app.console.api.problems import RETRY_AFTER, Problem, refused
from app.console.api.table_rows import TablePage, TableRow, asked_after, merged
from app.delivery.agent import Projection, registered
from app.entrypoints.requests import Emission
from app.host.parameters import header
from app.kafka.errors import KAFKA_ERRORS, KafkaError
from app.kafka.producer import partition_of
from app.wire import codecs
from app.wire.clock import now_ms
from app.wire.envelope import Envelope, Undecodable
from app.wire.http_answers import read_answer, session_of
from app.wire.signing import ROWS_PASS, rows_token
from app.worker.discovery import Directory, Worker
from app.worker.http import LocalQueries, RowPage
from tables import declared
from workflows.shared.journal import JournalEntry
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of

PUBLISH_SECONDS = 10
READ_SECONDS = 3
EVENTS_MAX = 1_000
"""Events to read of one transaction."""
TIMES_MAX = 10_000
"""Events whose first time is known: repeated after more others, a request has a later time."""
log = structlog.get_logger(__name__)
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class MessageProducer(Protocol):
    """What produces for the API: the worker's own connection."""

    async def publish(self, message: Message, envelope: Envelope) -> None:
        """Produce `message`; return when it is acknowledged. Raises KafkaError."""
        ...


class ApiContext:
    """One console's access to Payflow."""

    def __init__(
        self,
        queries: LocalQueries,
        producer: MessageProducer,
        directory: Directory,
        config: Config,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.queries = queries
        self.producer = producer
        self.directory = directory
        self.config = config
        self.now_ms = clock
        self._session: aiohttp.ClientSession | None = None
        self._times_ms: FIFOCache[str, int] = FIFOCache(TIMES_MAX)

    async def close(self) -> None:
        """Close the connections to other workers."""
        if self._session is not None:
            await self._session.close()

    async def publish(
        self,
        request: web.Request,
        message: Message,
        event_id: str,
        transaction: str,
        baggage: dict[str, str] | None = None,
    ) -> None:
        """Produce `message`.

        Raises Problem 413 or 422 for what the agents would not take, and 503 when Kafka does not
        acknowledge it in time.
        """
        envelope = self._readable_envelope(request, message, event_id, transaction, baggage)
        await self.produce(message, envelope)

    async def publish_all(self, request: web.Request, emissions: Sequence[Emission]) -> None:
        """Produce every message, or none where one is refused; raises as `publish` does."""
        envelopes = [
            self._readable_envelope(request, each.message, each.event_id, each.transaction_id)
            for each in emissions
        ]
        for each, envelope in zip(emissions, envelopes, strict=True):
            await self.produce(each.message, envelope)

    def check_readable(self, request: web.Request, emission: Emission) -> None:
        """Raise Problem 413 or 422 where no agent takes `emission`."""
        self._readable_envelope(
            request, emission.message, emission.event_id, emission.transaction_id
        )

    async def produce(self, message: Message, envelope: Envelope) -> None:
        """Produce `message`. Raises Problem 503 when Kafka does not acknowledge it in time."""
        try:
            await asyncio.wait_for(self.producer.publish(message, envelope), PUBLISH_SECONDS)
        except (TimeoutError, KafkaError) as error:
            log.warning("publish failed", type=envelope.type, error=repr(error)[:200])
            raise unavailable("Kafka does not answer; nothing is lost, repeat it") from error

    def _readable_envelope(
        self,
        request: web.Request,
        message: Message,
        event_id: str,
        transaction: str,
        baggage: dict[str, str] | None = None,
    ) -> Envelope:
        """Return the envelope of `message`. Raises Problem 413 or 422 where no agent takes it."""
        traceparent = header(request, "traceparent")
        envelope = self.envelope_of(message, event_id, transaction, traceparent, baggage)
        try:
            codecs.check_readable(message, envelope)
        except Undecodable as error:
            raise refused(error) from error
        return envelope

    def envelope_of(
        self,
        message: Message,
        event_id: str,
        transaction: str,
        traceparent: str = "",
        baggage: dict[str, str] | None = None,
    ) -> Envelope:
        """Return the envelope of `message`, with a trace of its own unless `traceparent` is one."""
        if not _TRACEPARENT.fullmatch(traceparent):
            traceparent = _trace_of(transaction)
        return Envelope(
            id=event_id,
            type=type_name(type(message)),
            source="/payflow/console",
            # A request that a client repeats is the same event. Analytics finds it by its minute.
            time_ms=self._times_ms.setdefault(event_id, self.now_ms()),
            subject=topic_of(message).key(message),
            correlation_id=transaction,
            traceparent=traceparent,
            baggage=baggage or {},
        )

    # --- tables ---

    async def row(self, table: str, key: str) -> TableRow | None:
        """Return the row from the worker that holds it; None when there is none.

        Raises Problem: 404 for no such table, 503 when no worker holds its partition now.
        """
        check_table(table)
        path = f"/tables/{quote(table, safe='')}/{quote(key, safe='')}"
        counting = _counts(table)
        holders = self.directory.holders(table)
        if not counting:
            partition = partition_of(key.encode(), self.config.partitions)
            owner = self.directory.owner(table, partition)
            if owner is None:
                raise unavailable(f"nobody holds partition {partition} of table {table} now")
            holders = [owner]
        for answer in await self._ask(holders, path, {}):
            if answer is not None:
                return answer
        return None

    async def rows(
        self, table: str, prefix: str = "", limit: int = 100, after: str = ""
    ) -> tuple[list[TableRow], bool]:
        """Return rows in key order from all workers, and whether some partitions were missing."""
        rows: list[TableRow] = []
        missing = False
        following: str | None = after
        while following is not None and len(rows) < limit:
            page = await self.row_page(table, prefix, limit - len(rows), following)
            rows += page.rows
            missing = missing or page.partial
            following = page.next
        return rows, missing

    async def row_page(self, table: str, prefix: str, limit: int, after: str) -> TablePage:
        """Return rows in key order from all workers, as many as they answer at once."""
        check_table(table)
        holders = self.directory.holders(table)
        query = {"prefix": prefix, "limit": str(limit), "after": asked_after(after)}
        path = f"/tables/{quote(table, safe='')}"
        answers = await self._ask(holders, path, query, partial=True)
        held = {p for holder in holders for p in holder.partitions[table]}
        return merged(
            [msgspec.convert(answer, RowPage) for answer in answers if answer is not None],
            limit,
            partial=None in answers or len(held) < self.config.partitions,
        )

    async def journal(
        self, transaction_id: str, limit: int = EVENTS_MAX
    ) -> tuple[list[JournalEntry], bool]:
        """Return the events of a transaction by time, and whether some are missing."""
        rows, partial = await self.rows("journal", f"{transaction_id}|", limit)
        entries = (msgspec.convert(row["state"], JournalEntry) for row in rows)
        # A key that begins with this id and `|` may be another transaction's.
        return [each for each in entries if each.correlation_id == transaction_id], partial

    async def _ask(
        self, holders: Sequence[Worker], path: str, query: dict[str, str], *, partial: bool = False
    ) -> list[Any]:
        answers = await asyncio.gather(*(self._get(each.url + path, query) for each in holders))
        failed = [str(answer) for answer in answers if isinstance(answer, Exception)]
        if failed and not partial:
            raise unavailable(f"a worker does not answer: {failed[0]}")
        return [None if isinstance(answer, Exception) else answer for answer in answers]

    async def _get(self, url: str, query: dict[str, str]) -> Any:
        if self._session is None:
            self._session = session_of(READ_SECONDS)
        full_url = URL(url).update_query(query)
        headers = {ROWS_PASS: rows_token(full_url.raw_path_qs, self.config.signing_key)}
        try:
            async with self._session.get(full_url, headers=headers) as response:
                if response.status == 404:  # noqa: PLR2004
                    return None
                response.raise_for_status()
                return msgspec.json.decode(await read_answer(response))
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            return error


CONTEXT: web.AppKey[ApiContext] = web.AppKey("context")


def unavailable(detail: str) -> Problem:
    """Return the problem of a temporary failure."""
    return Problem(503, "Service Unavailable", detail, headers=RETRY_AFTER)


@contextmanager
def asking_kafka() -> Iterator[None]:
    """Turn errors of Kafka and its client into Problem 503."""
    try:
        yield
    except KAFKA_ERRORS as error:
        raise unavailable(f"Kafka does not answer: {error}") from error


def check_table(name: str) -> None:
    """Raise Problem 404 when no such table is declared."""
    if name not in declared:
        detail = f"there is no table {name[:100]!r}; there are {', '.join(sorted(declared))}"
        raise Problem(404, "Not Found", detail, field="name")


def _counts(table: str) -> bool:
    agents = (agent for agent in registered.values() if agent.table and agent.table.name == table)
    return any(isinstance(agent, Projection) for agent in agents)


def _trace_of(transaction: str) -> str:
    digest = hashlib.sha256(transaction.encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"
