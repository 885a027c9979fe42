"""Rows of a table as the console follows them: from its changelog, so no worker is asked."""

from collections.abc import Callable

import msgspec
import structlog

from app.config import Config
from app.delivery.row import decode_row, is_row
from app.kafka.reader import follow
from app.wire.topics import changelog_topic
from tables import declared

Receive = Callable[[str, bytes | None], None]

log = structlog.get_logger(__name__)


async def follow_rows(config: Config, table: str, receive: Receive) -> None:
    """Let `receive` have the key and the latest row of each transaction, for ever.

    None in the place of a row: it was deleted.
    """
    async for record, _ in follow(config, changelog_topic(declared[table])):
        if is_row(record.key):
            receive((record.key or b"").decode(errors="replace"), record.value)


def state_in(table: str, key: str, body: bytes | None) -> object:
    """Return the state of a row; None where there is none, or none that can be read."""
    if body is None:
        return None
    try:
        return decode_row(declared[table], body).state
    except msgspec.DecodeError as error:
        log.warning("no row of it", table=table, key=key, error=str(error))
        return None
