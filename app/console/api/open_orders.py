"""Where orders stand that have not ended: what they wait for, and which are stuck.

Read off the changelog of the order agent's table, as anybody may: no worker is asked.
"""

from collections import Counter
from typing import Any

import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace

from app.config import Config
from app.console.api.context import now_ms
from app.delivery.row import decode_row
from app.kafka.reader import follow
from app.wire.topics import changelog_topic
from tables import declared
from workflows.order.pending_steps import STEPS, status_of, waits
from workflows.order.state import Order

log = structlog.get_logger(__name__)


class OpenOrders:
    """The orders that are open, without what they hold."""

    def __init__(self) -> None:
        self._open: dict[str, Order] = {}

    async def run(self, config: Config) -> None:
        """Follow the table, for ever."""
        async for record, _ in follow(config, changelog_topic(declared["order"])):
            self.receive((record.key or b"").decode(errors="replace"), record.value)

    def receive(self, key: str, body: bytes | None) -> None:
        """Take the latest row of one order; None: it was deleted."""
        state = _state(key, body)
        if state is None or status_of(state, 0) in ("unknown", "completed", "cancelled"):
            self._open.pop(key, None)
        else:
            # Thousands may be open: only what says where they stand is kept.
            self._open[key] = replace(state, bought={}, detail="")

    def shown(self, at_ms: int) -> dict[str, dict[str, int]]:
        """Return, by step, how many orders are waiting, retrying, compensating or stuck there."""
        counts = Counter(each for state in self._open.values() for each in waits(state, at_ms))
        return {
            step.name: {
                status: counts[step.name, status]
                for status in ("waiting", "retrying", "compensating", "stuck")
            }
            for step in STEPS
        }


def _state(key: str, body: bytes | None) -> Order | None:
    if body is None:
        return None
    try:
        state: Any = decode_row(declared["order"], body).state
    except msgspec.DecodeError as error:
        log.warning("no row of an order", key=key, error=str(error))
        return None
    return state


OPEN_ORDERS: web.AppKey[OpenOrders] = web.AppKey("open_orders")


def open_orders(request: web.Request) -> dict[str, dict[str, int]]:
    """Return where open orders stand now."""
    return request.app[OPEN_ORDERS].shown(now_ms())
