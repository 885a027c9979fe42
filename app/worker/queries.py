"""What a worker answers about itself: its rows, its partitions, whether it is ready."""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any

import msgspec

from app.config import Config
from app.delivery import row
from app.delivery.agent import Agent
from app.worker.faust_app import PayflowApp
from app.worker.http import ROWS_BYTES_MAX, RowPage
from app.worker.runner import Runner
from app.worker.store import Store


class LocalQueries:
    """Reads of the partitions that this process holds; nothing here writes a row."""

    def __init__(self, app: PayflowApp, config: Config, runners: Sequence[Runner]) -> None:
        self.service = config.service
        self.url = ""
        """The URL of this worker's HTTP server, once it is open."""
        self._app = app
        self._config = config
        self._kept = {
            runner.agent.table.name: (runner.agent, runner.store)
            for runner in runners
            if runner.agent.table is not None and runner.store is not None
        }

    def ready(self) -> tuple[bool, str]:
        """Return whether events flow, and otherwise what the worker waits for."""
        if self._app.should_stop:
            return False, "stopping"
        if not self._app.broker_answered:
            return False, f"no broker answers at {self._config.broker_url}; it is asked again"
        if self._app.rebalancing:
            return False, "partitions are being shared out"
        if not self._app.tables.actives_ready:
            return False, "tables are recovering from their changelogs"
        return True, "ready"

    def partitions(self) -> dict[str, list[int]]:
        """Return the partitions held here, by table."""
        if not self.ready()[0]:
            return {}
        return {name: store.open_partitions() for name, (_, store) in self._kept.items()}

    def get(self, table: str, key: str) -> dict[str, Any] | None:
        """Return the row of `key`, or None when this worker has none.

        Raises KeyError for no such table.

        A table with rows per partition (counts) may hold the key more than once: the first wins.
        """
        agent, store = self._kept[table]
        for partition in store.open_partitions():
            body = store.get(partition, key.encode())
            if body is not None:
                return _plain_row(agent, partition, key.encode(), body)
        return None

    def scan(self, table: str, prefix: str, limit: int, after: str) -> RowPage:
        """Return up to `limit` rows in key order whose key starts with `prefix`, after `after`.

        They may be fewer for their bytes: then the page says where it has ended.
        """
        agent, store = self._kept[table]
        begin = prefix.encode(), after.encode()
        rows: list[dict[str, object]] = []
        bytes_taken, last = 0, b""
        parts = (_rows(store, partition, *begin) for partition in store.open_partitions())
        for key, partition, body in merge(*parts):
            if len(rows) >= limit:
                break
            if bytes_taken > ROWS_BYTES_MAX and key != last:
                return RowPage(rows=rows, next=last.decode(errors="replace"))
            rows.append(_plain_row(agent, partition, key, body))
            bytes_taken, last = bytes_taken + len(key) + len(body), key
        return RowPage(rows=rows)


def _rows(
    store: Store, partition: int, prefix: bytes, after: bytes
) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield key, partition and body of the rows of one partition in key order."""
    for key, body in store.scan(partition, max(prefix, after)):
        if not key.startswith(prefix):
            return
        if key != after:
            yield key, partition, body


def _plain_row(agent: Agent, partition: int, key: bytes, body: bytes) -> dict[str, object]:
    assert agent.table is not None
    stored_row = row.decode_row(agent.table, body)
    return {
        "key": key.decode(errors="replace"),
        "partition": partition,
        "state": msgspec.to_builtins(stored_row.state),
        "applied_offsets": stored_row.applied_offsets,
        "parked": list(stored_row.parked),
        "context": msgspec.to_builtins(stored_row.context),
    }
