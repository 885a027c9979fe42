"""Messages leave through apprise, land once in the inbox, and say when they may leave later."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from app.config import Config
from app.delivery.agent import Transient
from app.gateways.notifier import open_notifier, read_inbox
from workflows.notification.messages import NotificationSent, SendMessage

MESSAGE = SendMessage(
    transaction_id="o1",
    notification_id="n1",
    customer_id="c1",
    channel="sms",
    title="Your order",
    text="It is on its way & costs <b>£10</b>.\nThank you ✓",
)


async def test_a_message_lands_in_the_inbox(tmp_path: Path) -> None:
    """Message for message, with whom and what it is about."""
    send = open_notifier(Config(data_dir=str(tmp_path)))

    emitted = await send(MESSAGE)

    (message,) = read_inbox(tmp_path / "inbox.sqlite", 10)
    assert (NotificationSent(transaction_id="o1", notification_id="n1", channel="sms"),) == emitted
    assert ("n1", "o1", "c1", "sms") == (
        message.notification_id,
        message.transaction_id,
        message.customer_id,
        message.channel,
    )
    assert (MESSAGE.title, MESSAGE.text) == (message.title, message.text)
    assert message.at_ms > 0


async def test_a_repeated_message_lands_once(tmp_path: Path) -> None:
    """The notification's id is the key: sent twice, read once, as it was first."""
    send = open_notifier(Config(data_dir=str(tmp_path)))
    await send(MESSAGE)
    first = read_inbox(tmp_path / "inbox.sqlite", 10)

    emitted = await send(replace(MESSAGE, text="changed"))

    assert "n1" == emitted[0].notification_id
    assert first == read_inbox(tmp_path / "inbox.sqlite", 10)


async def test_messages_side_by_side_all_land(tmp_path: Path) -> None:
    """Two writers of one inbox lose nothing."""
    config = Config(data_dir=str(tmp_path))
    senders = open_notifier(config), open_notifier(config)

    await asyncio.gather(
        *(senders[n % 2](replace(MESSAGE, notification_id=f"n{n}")) for n in range(40))
    )

    messages = read_inbox(tmp_path / "inbox.sqlite", 100)
    assert {f"n{n}" for n in range(40)} == {message.notification_id for message in messages}


@pytest.mark.parametrize(
    ("field", "odd"),
    [
        pytest.param("transaction_id", "o 1+2/ü&x=%2F?#'", id="order id"),
        pytest.param("notification_id", "n+1 & 2;=", id="notification id"),
        pytest.param("customer_id", "", id="a guest"),
        pytest.param("title", "'; DROP TABLE letters; --", id="title"),
        pytest.param("text", "{{ 7 * 7 }} \\n %s $x", id="text"),
    ],
)
async def test_odd_characters_arrive_as_they_are(tmp_path: Path, field: str, odd: str) -> None:
    """Nothing is taken for syntax on the way."""
    send = open_notifier(Config(data_dir=str(tmp_path / "a b+ü&c")))

    await send(replace(MESSAGE, **{field: odd}))

    (message,) = read_inbox(tmp_path / "a b+ü&c" / "inbox.sqlite", 10)
    assert odd == getattr(message, field)


async def test_the_newest_messages_are_read_first(tmp_path: Path) -> None:
    """The limit keeps the newest."""
    send = open_notifier(Config(data_dir=str(tmp_path)))
    for n in range(3):
        await send(replace(MESSAGE, notification_id=f"n{n}"))
        await asyncio.sleep(0.002)

    messages = read_inbox(tmp_path / "inbox.sqlite", 2)

    assert ["n2", "n1"] == [message.notification_id for message in messages]


def test_an_inbox_that_nobody_wrote_is_empty(tmp_path: Path) -> None:
    """No file, no dead letters, no error."""
    assert [] == read_inbox(tmp_path / "inbox.sqlite", 10)


async def test_a_full_disk_is_transient(tmp_path: Path) -> None:
    """An inbox that cannot be written may be writable later."""
    (tmp_path / "inbox.sqlite").mkdir()
    send = open_notifier(Config(data_dir=str(tmp_path)))

    with pytest.raises(Transient, match="sms"):
        await send(MESSAGE)


def test_a_url_that_apprise_does_not_know_is_named(tmp_path: Path) -> None:
    """A wrong setting fails at once and does not print the URL, which may hold a token."""
    config = Config(data_dir=str(tmp_path), push_url="carrierpigeon://secret-token")

    with pytest.raises(ValueError, match="PAYFLOW_PUSH_URL") as failed:
        open_notifier(config)

    assert "secret-token" not in str(failed.value)


@asynccontextmanager
async def gateway(status: int) -> AsyncIterator[tuple[str, list[Any]]]:
    """Run a message gateway that answers `status`; yield its apprise URL and what it was sent."""
    sent: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        sent.append(await request.json())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/", take)
    async with TestServer(app) as server:
        yield f"json://127.0.0.1:{server.port}/", sent


async def test_a_real_apprise_url_is_spoken_to(tmp_path: Path) -> None:
    """Push through apprise's JSON plugin: title and text leave, the inbox stays empty."""
    async with gateway(200) as (url, sent):
        send = open_notifier(Config(data_dir=str(tmp_path), push_url=url))
        emitted = await send(replace(MESSAGE, channel="push"))

    assert "push" == emitted[0].channel
    assert [(MESSAGE.title, MESSAGE.text)] == [(each["title"], each["message"]) for each in sent]
    assert [] == read_inbox(tmp_path / "inbox.sqlite", 10)


async def test_a_gateway_that_fails_is_transient(tmp_path: Path) -> None:
    """A 500 of the message gateway may be over later."""
    async with gateway(500) as (url, sent):
        send = open_notifier(Config(data_dir=str(tmp_path), push_url=url))
        with pytest.raises(Transient, match="push"):
            await send(replace(MESSAGE, channel="push"))

    assert 1 == len(sent)


async def test_a_gateway_that_is_away_is_transient(tmp_path: Path) -> None:
    """A refused connection may be over later."""
    send = open_notifier(Config(data_dir=str(tmp_path), push_url="json://127.0.0.1:9/"))

    with pytest.raises(Transient):
        await send(replace(MESSAGE, channel="push"))


async def test_the_inbox_has_one_row_a_message(tmp_path: Path) -> None:
    """The file itself holds the promise, not only its reader."""
    send = open_notifier(Config(data_dir=str(tmp_path)))
    await send(MESSAGE)
    await send(MESSAGE)

    inbox = sqlite3.connect(tmp_path / "inbox.sqlite")
    rows = inbox.execute("SELECT count(*) FROM letters").fetchone()
    inbox.close()
    assert (1,) == rows
