"""What changes at the provider by itself, when its clock says so."""

import asyncio

from app.local.simulators import server
from app.local.simulators.balance_store import Balance
from app.local.simulators.dispute_effects import DisputeEffects
from app.local.simulators.provider_effects import Effects
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.refund_effects import RefundEffects


class Turns:
    """Intents, refunds and disputes that are due, and the payouts of each midnight."""

    def __init__(
        self,
        store: ProviderStore,
        effects: Effects,
        refunds: RefundEffects,
        disputes: DisputeEffects,
        balance: Balance,
    ) -> None:
        self._store = store
        self._effects = effects
        self._refunds = refunds
        self._disputes = disputes
        self._balance = balance
        self.news = asyncio.Event()
        """Set when something has changed, or the clock was moved."""

    async def run(self) -> None:
        """Let everything change when its time has come, for ever."""
        while True:
            self.news.clear()
            now_ms = self._store.now_ms()
            due_ms = self._next_ms()
            if due_ms is not None and due_ms <= now_ms:
                with self._store.writing():
                    self._turn()
                due_ms = self._next_ms()
            await server.until_due(self.news, due_ms, self._store.now_ms())

    def _turn(self) -> None:
        self._effects.turn(self._store.due_intents())
        self._refunds.turn(self._store.due_refunds())
        self._disputes.turn(self._disputes.due())
        self._balance.turn()

    def _next_ms(self) -> int | None:
        times = (self._store.next_ms(), self._disputes.next_ms(), self._balance.next_ms())
        return min((each for each in times if each is not None), default=None)
