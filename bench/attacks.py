"""What attackers do to a running instance: anonymous callers, a client, a writer to the broker."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer

from app.config import Config
from app.kafka.admin import client_options

LINES = 1_000
"""Of the largest order: what a condition of a search has to work on."""
HALF_REQUESTS, FOLLOWERS, GUESSES, COUNTRIES = 370, 20, 150, 400
BOMB_BYTES = 60_000_000
"""What 60 kB on a topic unfold to."""
KEY_BYTES = 900_000
BODY_BYTES = 4_000_000
CONDITIONS = (
    'body.lines.all(a, body.lines.all(b, a.sku + b.sku != "x"))',
    'body.lines.exists(a, body.lines.exists(b, (a.sku + b.sku).matches("(a*)*b")))',
    "body.lines.map(a, body.lines.map(b, a.sku + b.sku)).size() > 0",
)
ATTACKED_TOPICS = ("orders", "payments", "inventory")


class Attacker(msgspec.Struct, frozen=True, kw_only=True):
    """Who attacks an instance, and with what."""

    config: Config
    session: aiohttp.ClientSession
    client_headers: dict[str, str]
    """Of a client with every scope: it too must not grow or block anything."""
    seconds: float
    """How long an attack that holds something holds it."""
    answers: Counter[int] = msgspec.field(default_factory=Counter[int])
    """By status, what the attack was answered; 0: nothing."""

    async def ask(self, method: str, path: str, **options: object) -> int:
        """Return the status of a request; 0: it was ended without an answer."""
        timeout = aiohttp.ClientTimeout(total=self.seconds)
        with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
            url = self.config.console_url + path
            async with self.session.request(method, url, timeout=timeout, **options) as answer:  # type: ignore[arg-type]
                self.answers[answer.status] += 1
                await answer.read()
                return answer.status
        self.answers[0] += 1
        return 0

    async def produce(self, records: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Write `records`, key and value, to topics of the workflow, compressed."""
        options = client_options(self.config)
        producer = AIOKafkaProducer(
            **options, compression_type="gzip", max_request_size=BOMB_BYTES * 2
        )
        await producer.start()
        try:
            for topic in ATTACKED_TOPICS:
                for key, value in records:
                    # The broker refuses some: that is a defence too.
                    with suppress(Exception):
                        await producer.send_and_wait(topic, value, key=key, partition=0)
        finally:
            await producer.stop()


async def place_large_orders(attacker: Attacker) -> None:
    """Place the orders that searches are to suffer from."""
    lines = [{"sku": f"{'a' * 40}{n}", "quantity": 1, "unit_price_minor": 1} for n in range(LINES)]
    for number in range(3):
        body = {"country": "FR", "currency": "GBP", "payment_method": "pm_card_visa"}
        headers = {**attacker.client_headers, "Idempotency-Key": f"large-{number}"}
        status = await attacker.ask(
            "POST", "/orders", json={**body, "lines": lines}, headers=headers
        )
        assert status == 202, f"a large order was answered {status}"  # noqa: PLR2004


async def search_conditions(attacker: Attacker) -> None:
    """Search with conditions that take the square of an order's lines, as nobody."""
    queries = [urlencode({"cel": each}) for each in CONDITIONS] * 3
    await _at_once(attacker, [("GET", f"/topics/orders/records?{each}") for each in queries])


async def search_backslashes(attacker: Attacker) -> None:
    """Search for texts of backslashes and of bytes that are no text."""
    texts = ["text:" + "\\" * 7_000, "key:" + "\\" * 7_000, "\\" * 7_000]
    paths = [f"/topics/orders/records?{urlencode({'q': each})}" for each in texts]
    await _at_once(attacker, [("GET", path) for path in paths * 3])


async def follow(attacker: Attacker) -> None:
    """Follow searches, more than there are places."""
    await _at_once(attacker, [("GET", "/topics/orders/find?follow=1")] * FOLLOWERS)


async def hold_connections(attacker: Attacker) -> None:
    """Send the first half of many requests, and wait."""
    at = urlsplit(attacker.config.console_url)
    writers: list[asyncio.StreamWriter] = []
    try:
        for _ in range(HALF_REQUESTS):
            _, writer = await asyncio.open_connection(at.hostname, at.port)
            writer.write(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n")
            writers.append(writer)
        await asyncio.sleep(attacker.seconds)
    finally:
        for writer in writers:
            writer.close()


async def send_large_bodies(attacker: Attacker) -> None:
    """Post megabytes that are no text, or deeply nested, where something is read."""
    bodies = (b"\xff" * BODY_BYTES, b"[" * BODY_BYTES, b'{"a":' * (BODY_BYTES // 5))
    paths = ("/orders", "/sign-in", "/webhooks/provider", "/webhooks/carrier")
    headers = {**attacker.client_headers, "Content-Type": "application/json"}
    requests = [("POST", path, body) for path in paths for body in bodies]
    await asyncio.gather(
        *(attacker.ask(method, path, data=body, headers=headers) for method, path, body in requests)
    )


async def invent_countries(attacker: Attacker) -> None:
    """Order from countries that are none."""
    for number in range(COUNTRIES):
        body = {"country": f"Land {number}", "currency": "GBP", "payment_method": "pm_card_visa"}
        lines = [{"sku": "tea", "quantity": 1, "unit_price_minor": 100}]
        headers = {**attacker.client_headers, "Idempotency-Key": f"land-{number}"}
        await attacker.ask("POST", "/orders", json={**body, "lines": lines}, headers=headers)


async def guess_tokens(attacker: Attacker) -> None:
    """Guess the tokens of an operator, and post as nobody."""
    guesses = [{"name": "admin", "token": f"guess-{number}"} for number in range(GUESSES)]
    await asyncio.gather(*(attacker.ask("POST", "/sign-in", json=each) for each in guesses))
    await _at_once(attacker, [("POST", "/operators/fraud/lists")] * (GUESSES // 2))


async def write_bombs(attacker: Attacker) -> None:
    """Write records that unfold to a thousand times their size."""
    await attacker.produce([(b"bomb", b"\0" * BOMB_BYTES)] * 2)


async def write_long_keys(attacker: Attacker) -> None:
    """Write keys of 900 kB, texts of backslashes and what is no text; then show them."""
    values = (b"\\" * 60_000, b"\xff" * (KEY_BYTES // 2), b"{}")
    await attacker.produce([(b"k" * KEY_BYTES, b"{}"), *((b"key", each) for each in values)])
    pages = ("/topics/orders/records?limit=500", "/console/topics/orders", "/dead-letters")
    await _at_once(attacker, [("GET", path) for path in pages * 3])


Attack = Callable[[Attacker], Awaitable[None]]
ATTACKS: tuple[Attack, ...] = (
    search_conditions,
    search_backslashes,
    follow,
    hold_connections,
    send_large_bodies,
    invent_countries,
    guess_tokens,
    write_bombs,
    write_long_keys,
)


async def _at_once(attacker: Attacker, requests: Sequence[tuple[str, str]]) -> None:
    await asyncio.gather(*(attacker.ask(method, path) for method, path in requests))
