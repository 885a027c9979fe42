"""Settlement: what the provider has kept and paid out is read each night, and when asked for.

Several consoles may read beside one another: the same balance transaction makes the same event.
"""

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import web

from app.config import Config
from app.console.api.access import operator_of
from app.console.api.audited_actions import audited
from app.console.api.context import unavailable
from app.console.api.operator_actions import Why
from app.console.api.problems import JsonResponse, json_response, read_body
from app.gateways.settlement_position import SettlementFigures
from app.host.processes import wait_seconds
from app.kafka.errors import KAFKA_ERRORS
from workflows.audit.case_decisions import SettlementRequestedByOperator
from workflows.shared.errors import PayflowError

if TYPE_CHECKING:
    from app.console.api.settler import Settler

DAY_SECONDS = 86_400
HOUR_UTC = 2
"""Of the night: the provider makes its payouts at midnight (UTC)."""
FIRST_SECONDS = 60.0
"""After the start, for the nights that were missed."""

log = structlog.get_logger(__name__)


class SettlementAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /operators/settle`."""

    reason: Why


class NightlySettlement:
    """Settles each night, and when asked for; one at a time."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._settler: Settler | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self, config: Config) -> None:
        """Settle after the start, and each night, in a loop."""
        failed = 0
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.settle()
                failed = 0
            except (PayflowError, *KAFKA_ERRORS) as error:
                log.warning("not settled", service=config.service, error=str(error)[:200])
                failed += 1
            seconds = wait_seconds(failed) if failed else seconds_to_night(time.time())
            await asyncio.sleep(seconds)

    async def settle(self) -> SettlementFigures:
        """Settle now. Raises PayflowError and KafkaError."""
        async with self._one_at_a_time:
            if self._settler is None:
                self._settler = await asyncio.to_thread(_open, self._config)
            figures = await self._settler.settle()
        log.info("settled", transactions=figures.transactions, payout_lines=figures.payout_lines)
        return figures


def seconds_to_night(now_seconds: float) -> float:
    """Return how long it is to the next HOUR_UTC."""
    return DAY_SECONDS - (now_seconds - HOUR_UTC * 3_600) % DAY_SECONDS


def _open(config: Config) -> "Settler":
    """Return what settles. It loads the SDK, which takes half a second."""
    from app.console.api.settler import Settler  # noqa: PLC0415  only when it is needed

    return Settler(config)


SETTLEMENT: web.AppKey[NightlySettlement] = web.AppKey("settlement")


async def settle(request: web.Request) -> JsonResponse[SettlementFigures]:
    """Read balance transactions and payouts now; return what was new."""
    body = await read_body(request, SettlementAsked)
    action = SettlementRequestedByOperator(
        about="settlement", who=operator_of(request).name, why=body.reason
    )
    try:
        async with audited(request, action):
            figures = await request.app[SETTLEMENT].settle()
    except (PayflowError, *KAFKA_ERRORS) as error:
        raise unavailable(f"not settled: {error}; nothing is lost, repeat it") from error
    return json_response(figures)
