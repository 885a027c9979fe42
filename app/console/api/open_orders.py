"""Where orders stand that have not ended: what they wait for, and which are stuck.

Read off the changelog of the order room's table, as anybody may: no worker is asked.
"""

from collections import Counter
from typing import Any

import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace

from app.composition import changelog_of
from app.config import Config
from app.console.api.context import now_ms
from app.delivery.row import decode_row
from app.kafka.reader import followed
from tables import declared
from workflows.order.pending_steps import STEPS, status_of, waits
from workflows.order.state import Order

log = structlog.get_logger(__name__)


class Standing:
    """The orders that are open, without what they hold."""

    def __init__(self) -> None:
        self._open: dict[str, Order] = {}

    async def run(self, config: Config) -> None:
        """Follow the table, for ever."""
        async for record, _ in followed(config, changelog_of(declared["order"])):
            self.hear((record.key or b"").decode(errors="replace"), record.value)

    def hear(self, key: str, body: bytes | None) -> None:
        """Take the latest row of one order; None: it was deleted."""
        memory = _memory(key, body)
        if memory is None or status_of(memory, 0) in ("unknown", "completed", "cancelled"):
            self._open.pop(key, None)
        else:
            # Thousands may be open: only what says where they stand is kept.
            self._open[key] = replace(memory, bought={}, detail="")

    def shown(self, at_ms: int) -> dict[str, dict[str, int]]:
        """Return, by step, how many orders are waiting, retrying, compensating or stuck there."""
        counts = Counter(each for memory in self._open.values() for each in waits(memory, at_ms))
        return {
            step: {
                status: counts[step, status]
                for status in ("waiting", "retrying", "compensating", "stuck")
            }
            for step in STEPS
        }


def _memory(key: str, body: bytes | None) -> Order | None:
    if body is None:
        return None
    try:
        memory: Any = decode_row(declared["order"], body).memory
    except msgspec.DecodeError as error:
        log.warning("no row of an order", key=key, error=str(error))
        return None
    return memory


STANDING: web.AppKey[Standing] = web.AppKey("standing")


def standing(request: web.Request) -> dict[str, dict[str, int]]:
    """Return where open orders stand now."""
    return request.app[STANDING].shown(now_ms())
