"""Messages to customers through apprise: any of its URLs, or `inbox://` for a local file.

The inbox keeps a message once, however often it is sent: its key is the notification's id.
"""

import asyncio
import logging
import sqlite3
import warnings
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from types import ModuleType
from urllib.parse import quote, urlencode

import msgspec

from app.config import Config, current
from app.delivery.agent import Transient
from app.wire.clock import now_ms
from workflows.notification.messages import NotificationSent, SendMessage
from workflows.shared.personal import Personal

INBOX = "inbox"
BUSY_SECONDS = 10.0
"""How long a writer waits for another process that writes the same inbox."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    notification_id TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS letters_at ON letters (at_ms);
"""

Answers = tuple[NotificationSent]
Send = Callable[[SendMessage], Awaitable[Answers]]


class InboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the inbox. `at_ms` is the time at which it was first stored."""

    notification_id: str
    at_ms: int
    transaction_id: str = msgspec.field(name="order_id")
    customer_id: Personal[str]
    channel: str
    title: str
    text: str


def open_notifier(config: Config) -> Send:
    """Return the function that sends a message; it raises Transient when that may work later.

    Raises ValueError when apprise does not support a configured URL.
    """
    apprise = _load_apprise()
    inbox = config.data_path / "inbox.sqlite"
    addresses = {"sms": config.sms_url, "push": config.push_url}
    for channel, address in addresses.items():
        if not apprise.Apprise().add(address):
            raise ValueError(
                f"apprise knows no such URL. Operator: check PAYFLOW_{channel.upper()}_URL."
            )

    async def send(message: SendMessage) -> Answers:
        address = addresses[message.channel]
        if address.startswith(f"{INBOX}://"):
            address = _to_inbox(address, inbox, message)
        outlet = apprise.Apprise()
        outlet.add(address)
        # In a thread: apprise makes blocking HTTP calls for most of its URLs, and SQLite blocks.
        sent = await asyncio.to_thread(outlet.notify, body=message.text, title=message.title)
        if not sent:
            raise Transient(f"the {message.channel} message did not leave")
        return (
            NotificationSent(
                transaction_id=message.transaction_id,
                notification_id=message.notification_id,
                channel=message.channel,
            ),
        )

    return send


def load() -> None:
    """Load what sends messages, and check its URLs. Raises ValueError."""
    _configured()


async def send_message(message: SendMessage) -> Answers:
    """Send by the URLs that this process is configured for. Raises Transient."""
    return await _configured()(message)


def read_inbox(path: Path, limit: int, order_id: str = "") -> list[InboxMessage]:
    """Return the newest messages first, at most `limit`, of one order if it is named.

    None when there is no inbox yet.
    """
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as inbox:
        inbox.row_factory = sqlite3.Row
        rows = inbox.execute(
            "SELECT * FROM letters WHERE :order_id = '' OR order_id = :order_id"
            " ORDER BY at_ms DESC, notification_id LIMIT :limit",
            {"order_id": order_id, "limit": limit},
        ).fetchall()
    return [msgspec.convert(dict(row), InboxMessage) for row in rows]


@cache
def _configured() -> Send:
    return open_notifier(current())


def _to_inbox(address: str, inbox: Path, message: SendMessage) -> str:
    """Return `address` with what the plugin below must know: apprise hands on nothing else."""
    fields = {
        "file": str(inbox),
        "notification_id": message.notification_id,
        "order_id": message.transaction_id,
        "customer_id": message.customer_id,
        "channel": message.channel,
    }
    return f"{address}?{urlencode(fields, quote_via=quote)}"


@cache
def _load_apprise() -> ModuleType:
    """Return the apprise module with our inbox known to it."""
    # It imports its 150 plugins, which takes a second, so only the messenger does it.
    with warnings.catch_warnings():
        # One plugin asks for a module that Python 3.13 no longer has, and copes without.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415
        from apprise.decorators import notify  # noqa: PLC0415

        notify(on=INBOX, name="Inbox")(_land)
    logging.getLogger("apprise").setLevel(logging.WARNING)
    return apprise


def _land(
    body: str,
    title: str,
    _kind: str,
    *_record: object,
    meta: dict[str, dict[str, str]],
    **_rest: object,
) -> bool:
    fields = meta["qsd"]
    with closing(_open_inbox(fields["file"])) as inbox:
        inbox.execute(
            "INSERT INTO letters VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (notification_id) DO NOTHING",
            (
                fields["notification_id"],
                now_ms(),
                fields["order_id"],
                fields.get("customer_id", ""),
                fields["channel"],
                title,
                body,
            ),
        )
    return True


def _open_inbox(file: str) -> sqlite3.Connection:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    inbox = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    inbox.execute("PRAGMA journal_mode = WAL")
    inbox.execute("PRAGMA synchronous = NORMAL")
    inbox.executescript(SCHEMA)
    return inbox
