"""Settlement at the end of a demo: the provider's days go by, and its payouts arrive."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from app.config import Config
from app.local import fault_switches
from app.operations.reconciliation.reader import read_books
from app.operations.reconciliation.settlement import Settlement, compare
from app.wire.clock import now_ms

DAYS = 4
"""A charge is available after two midnights, is paid out then, and arrives a day later."""
SECONDS_MAX = 300.0
STAYS_OPEN = "waiting for a payout"
"""What a currency with more refunds than charges comes to: it is never paid out."""


OpenSettlement = Callable[[Config], Callable[[], Awaitable[object]]]
"""Opens what reads, at each call, what the provider has settled since the one before."""


async def settlement_of(
    config: Config, open_settlement: OpenSettlement, step: Callable[[str], None]
) -> Settlement:
    """Let days go by at the provider, settle, and return how it compares once the ledger has it."""
    await fault_switches.advance(config, "provider", DAYS * 86_400)
    step(f"{DAYS} days go by at the provider, and its payouts arrive")
    read, limit = open_settlement(config), time.monotonic() + SECONDS_MAX
    while True:
        await read()
        books = await read_books(config)
        at_ms = now_ms() + DAYS * 86_400_000
        settlement = compare(books.settlement, books.posted, at_ms)
        is_over = all(item.state == STAYS_OPEN for item in settlement.open_items)
        if is_over or time.monotonic() > limit:
            arrived = f"{settlement.arrived} of {settlement.lines} balance transactions"
            step(f"settled: {arrived} have arrived")
            return settlement
        await asyncio.sleep(1.0)
