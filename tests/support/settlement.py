"""Payflow's side of settlement without Kafka: the progress, and the books of every order."""

from collections import Counter
from typing import Any

from app.gateways.provider_settlement import ProviderSettlement, new_events
from app.gateways.settlement_position import Counts, Event, SettlementFigures, SettlementPosition
from tests.support.shop import Shop
from tests.support.workflow_runner import receive
from workflows.ledger import process as ledger
from workflows.ledger.messages import EntryPosted
from workflows.payment.messages import PaymentCompleted, PaymentRefunded


class Settlement:
    """Settles what a shop does at the provider's simulator."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.topic: list[Event] = []
        """What was produced."""
        self.books: dict[str, ledger.Books] = {}
        self.entries: list[EntryPosted] = []
        self._position = SettlementPosition()

    async def settle(self, parts_max: int | None = None) -> SettlementFigures:
        """Read once; with `parts_max` the process is killed after so many parts are produced."""
        provider, counts = ProviderSettlement(self.shop.system.config), Counts()
        try:
            async for part in new_events(provider, self._position, counts):
                if parts_max is not None and parts_max <= 0:
                    self._restart()
                    break
                parts_max = None if parts_max is None else parts_max - 1
                self.topic += part
                for event in part:
                    self.post(event.message)
        finally:
            await provider.close()
        return counts.figures()

    def _restart(self) -> None:
        """Forget all that a process remembers: only the topic says how far it was read."""
        self._position = SettlementPosition()
        for event in self.topic:
            self._position.note(event.event_id, event.message)

    def post(self, message: Any) -> None:
        """Give the ledger a message."""
        order_id = message.transaction_id
        state, entries = receive(ledger, self.books.get(order_id, ledger.INITIAL), message)
        self.books[order_id] = state
        self.entries += [each for each in entries if isinstance(each, EntryPosted)]

    async def charge(self, order_id: str, amount_minor: int, currency: str, **more: Any) -> str:
        """Take `amount_minor` at the provider and in the ledger; return the intent's id."""
        fields = {"amount": amount_minor, "currency": currency, **more}
        intent = await self.shop.create(order_id, confirm=True, **fields)
        self.post(
            PaymentCompleted(
                transaction_id=order_id,
                payment_id=intent.id,
                amount_minor=amount_minor,
                goods_minor=amount_minor,
                charges_minor=0,
                currency=currency.upper(),
                country="France",
                ordered_at_ms=1,
            )
        )
        return intent.id

    async def refund(self, order_id: str, intent_id: str, amount_minor: int, currency: str) -> None:
        """Give `amount_minor` back at the provider, with no metadata, and in the ledger."""
        back = await self.shop.refund(intent_id, f"{order_id}:back", amount=amount_minor)
        self.post(
            PaymentRefunded(
                transaction_id=order_id,
                payment_id=intent_id,
                refund_id=back.id,
                amount_minor=amount_minor,
                currency=currency.upper(),
                kind="return",
                return_id="r1",
            )
        )

    def balances(self, *accounts: str) -> dict[str, dict[str, int]]:
        """Return the balances of `accounts` over all orders, by currency."""
        sums_by_currency: dict[str, Counter[str]] = {}
        for entry in self.entries:
            sums = sums_by_currency.setdefault(entry.currency, Counter(dict.fromkeys(accounts, 0)))
            for each in entry.postings:
                if each.account in accounts:
                    sums[each.account] += each.debit_minor - each.credit_minor
        return {currency: dict(sums) for currency, sums in sorted(sums_by_currency.items())}
