"""Webhooks of an external system: signed, stored, and retried while the console is away.

Faults make them late, doubled, lost, or change their order; no other code knows of that.
"""

import asyncio
import time

import aiohttp
import msgspec
import structlog

from app.gateways.signature import sign
from app.local.simulators import server
from app.local.simulators.faults import Faults, Switchboard, share, strikes
from app.local.simulators.sqlite_file import Books

TRIES_MAX = 9
"""With the pauses below, a console may be away for about a minute."""
BACKOFF_FIRST_SECONDS = 0.25
BACKOFF_SECONDS_MAX = 30.0
TIMEOUT_SECONDS = 5.0
AT_ONCE_MAX = 32
OK, REDIRECT = 200, 300

log = structlog.get_logger(__name__)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The URL of webhooks, and their secret."""

    url: str
    header: str
    secret: str


class Sender:
    """Sends the webhooks that are due. Run `run` once."""

    def __init__(self, books: Books, address: Address, switchboard: Switchboard) -> None:
        self._books = books
        self._address = address
        self._switchboard = switchboard
        self._news = asyncio.Event()

    def post(self, notice_id: str, notice: object) -> None:
        """Write `notice` (as JSON) to be sent.

        Call inside the transaction of the effect that it reports.
        """
        faults: Faults = self._switchboard.faults
        body = msgspec.json.encode(notice)
        late = strikes(faults, "webhook_late", notice_id)
        due_ms = self._books.now_ms() + (round(faults.webhook_late_seconds * 1_000) if late else 0)
        if strikes(faults, "webhook_shuffled", notice_id):
            pause = share(faults, "webhook pause", notice_id) * faults.webhook_shuffled_seconds
            due_ms += round(pause * 1_000)
        status = "lost" if strikes(faults, "webhook_lost", notice_id) else "waiting"
        copies = 2 if strikes(faults, "webhook_doubled", notice_id) else 1
        for _ in range(copies):
            self._books.connection.execute(
                "INSERT INTO deliveries (notice_id, body, due_ms, status) VALUES (?, ?, ?, ?)",
                (notice_id, body, due_ms, status),
            )
        self._news.set()

    def nudge(self) -> None:
        """Look again for what is due: the clock has moved."""
        self._news.set()

    async def run(self) -> None:
        """Send for ever, at most `AT_ONCE_MAX` at the same time."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._news.clear()
                due = self._books.all(
                    "SELECT * FROM deliveries WHERE status = 'waiting' AND due_ms <= ?"
                    " ORDER BY due_ms, id LIMIT ?",
                    self._books.now_ms(),
                    AT_ONCE_MAX,
                )
                if not due:
                    await self._rest()
                    continue
                sent = await asyncio.gather(*(self._send(session, row["body"]) for row in due))
                with self._books.writing() as books:
                    for row, delivered in zip(due, sent, strict=True):
                        outcome = _after(
                            row["tries"] + 1, self._books.now_ms(), delivered=delivered
                        )
                        books.execute(
                            "UPDATE deliveries SET tries = tries + 1, status = ?, due_ms = ?"
                            " WHERE id = ?",
                            (*outcome, row["id"]),
                        )

    async def _send(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        signature = sign(body, self._address.secret, int(time.time()))
        headers = {self._address.header: signature, "Content-Type": "application/json"}
        try:
            async with session.post(
                self._address.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return OK <= answer.status < REDIRECT
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("webhook not delivered", error=type(error).__name__)
            return False

    async def _rest(self) -> None:
        """Wait for the next due notice, or for news."""
        row = self._books.one("SELECT min(due_ms) FROM deliveries WHERE status = 'waiting'")
        await server.until_due(self._news, row[0] if row else None, self._books.now_ms())


def _after(tries: int, now_ms: int, *, delivered: bool) -> tuple[str, int]:
    """Return the status and the next due time (ms) of a notice sent for the `tries`-th time."""
    if delivered:
        return "delivered", now_ms
    if tries >= TRIES_MAX:
        return "given_up", now_ms
    pause_seconds = min(BACKOFF_FIRST_SECONDS * 2 ** (tries - 1), BACKOFF_SECONDS_MAX)
    return "waiting", now_ms + round(pause_seconds * 1_000)
