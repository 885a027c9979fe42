"""The account's balance transactions and payouts, as messages of the orders that they belong to.

docs.stripe.com/api/balance_transactions, docs.stripe.com/api/payouts. What belongs to no order of
this installation is only counted.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeVar

import msgspec
import stripe

from app.config import Config
from app.gateways.provider_account import Account, Unclear, fields_of, read
from app.gateways.settlement_position import Counts, Event, SettlementPosition, chunks, windows
from app.wire.clock import now_ms
from workflows.payment.settlement_messages import (
    BalanceTransactionPaidOut,
    BalanceTransactionReported,
    PayoutStatus,
)
from workflows.shared.provider_currencies import amount_minor_of
from workflows.shared.provider_metadata import TRANSACTION, owner_of

PAGE = 100
PAGES_MAX = 5_000
"""Pages of one list: of the balance transactions of a day, of the payouts, of one payout."""
DEPTH_MAX = 10
"""How often the money of one payout may fail and be paid out again."""
OF_PAYOUTS = frozenset({"payout", "payout_cancel", "payout_failure", "payout_reversal"})
"""Types of balance transactions about whole payouts."""
STATUSES: dict[str, PayoutStatus] = {
    "pending": "in_transit",
    "in_transit": "in_transit",
    "paid": "paid",
    "failed": "failed",
    "canceled": "canceled",
}

Item = TypeVar("Item", stripe.BalanceTransaction, stripe.Payout)
Source = stripe.Charge | stripe.Refund | stripe.Dispute


class PayoutLines(msgspec.Struct, frozen=True, kw_only=True):
    """One payout: its lines of our orders, and how many others it has."""

    payout_id: str
    created_ms: int
    status: PayoutStatus
    lines: tuple[BalanceTransactionPaidOut, ...]
    not_ours: int


class ProviderSettlement:
    """Reads what the provider has settled."""

    def __init__(self, config: Config) -> None:
        self._account = Account(config, now_ms)
        self._installation = config.installation
        self._metadata: dict[str, dict[str, str]] = {}
        """Of intents that were retrieved, by their ids."""

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._account.close()

    async def transactions(
        self, since_seconds: int, until_seconds: int | None
    ) -> tuple[list[BalanceTransactionReported], int]:
        """Return the balance transactions of a time, oldest first, and how many are not ours.

        Raises Unclear.
        """
        created: stripe.params.BalanceTransactionListParamsCreated = {"gte": since_seconds}
        if until_seconds is not None:
            created["lt"] = until_seconds
        params: stripe.params.BalanceTransactionListParams = {"created": created}
        ours: list[BalanceTransactionReported] = []
        others = 0
        async for one in self._transactions(params):
            if one.type in OF_PAYOUTS:
                continue
            message = _reported(one, await self._order_of(one))
            ours += [] if message is None else [message]
            others += message is None
        return ours[::-1], others

    async def payouts(self, since_seconds: int) -> list[stripe.Payout]:
        """Return the payouts since then, oldest first. Raises Unclear."""
        params: stripe.params.PayoutListParams = {"created": {"gte": since_seconds}, "limit": PAGE}
        payouts: list[stripe.Payout] = []
        for _ in range(PAGES_MAX):
            page = await read(self._account.payouts.list_async(params))
            payouts += page.data
            if not page.has_more or not page.data:
                return payouts[::-1]
            params["starting_after"] = page.data[-1].id
        raise Unclear(f"the list of payouts has more than {PAGES_MAX} pages")

    async def lines(self, payout: stripe.Payout) -> PayoutLines:
        """Return what `payout` is made of. Raises Unclear."""
        status = STATUSES.get(payout.status, "in_transit")
        lines: list[BalanceTransactionPaidOut] = []
        others = 0
        async for one in self._lines(payout.id, DEPTH_MAX):
            message = _paid_out(one, await self._order_of(one), payout, status)
            lines += [] if message is None else [message]
            others += message is None
        return PayoutLines(
            payout_id=payout.id,
            created_ms=payout.created * 1_000,
            status=status,
            lines=tuple(lines),
            not_ours=others,
        )

    async def _lines(self, payout_id: str, depth: int) -> AsyncIterator[stripe.BalanceTransaction]:
        """Yield the balance transactions that a payout moves.

        The money of a payout that failed or was canceled comes back in one line, and goes out with
        a later payout: there it is the lines of the first.
        """
        if not depth:
            raise Unclear(f"{payout_id}: its money was paid out more than {DEPTH_MAX} times")
        async for one in self._transactions({"payout": payout_id}):
            if one.type not in OF_PAYOUTS:
                yield one
            elif one.type != "payout" and (earlier := _id_of(one.source)) not in ("", payout_id):
                async for line in self._lines(earlier, depth - 1):
                    yield line

    async def _transactions(
        self, params: stripe.params.BalanceTransactionListParams
    ) -> AsyncIterator[stripe.BalanceTransaction]:
        """Yield every balance transaction, newest first, through all pages. Raises Unclear."""
        page_params: stripe.params.BalanceTransactionListParams = {
            **params,
            "limit": PAGE,
            "expand": ["data.source"],
        }
        for _ in range(PAGES_MAX):
            page = await read(self._account.balance_transactions.list_async(page_params))
            for one in page.data:
                yield one
            if not page.has_more or not page.data:
                return
            page_params["starting_after"] = page.data[-1].id
        raise Unclear(f"a list of balance transactions has more than {PAGES_MAX} pages")

    async def _order_of(self, transaction: stripe.BalanceTransaction) -> str:
        """Return the order of a balance transaction; empty when it is not ours. Raises Unclear."""
        source = transaction.source
        if not isinstance(source, Source):
            return ""
        fields = fields_of(source)
        intent_id = _id_of(getattr(source, "payment_intent", None))
        # A charge has a copy of its intent's metadata. A refund made by hand has none of ours.
        if TRANSACTION not in fields and not isinstance(source, stripe.Charge) and intent_id:
            fields = await self._metadata_of(intent_id)
        return owner_of(fields, self._installation)

    async def _metadata_of(self, intent_id: str) -> dict[str, str]:
        if intent_id not in self._metadata:
            intent = await read(self._account.intents.retrieve_async(intent_id))
            self._metadata[intent_id] = fields_of(intent)
        return self._metadata[intent_id]


def _reported(
    transaction: stripe.BalanceTransaction, order_id: str
) -> BalanceTransactionReported | None:
    """Return the message of a balance transaction; None when it is of no order."""
    currency = transaction.currency.upper()
    return _converted(
        BalanceTransactionReported,
        order_id=order_id,
        balance_transaction_id=transaction.id,
        category=transaction.reporting_category,
        source_id=_id_of(transaction.source),
        amount_minor=amount_minor_of(transaction.amount, currency),
        fee_minor=amount_minor_of(transaction.fee, currency),
        net_minor=amount_minor_of(transaction.net, currency),
        currency=currency,
        created_at_ms=transaction.created * 1_000,
        available_at_ms=transaction.available_on * 1_000,
    )


def _paid_out(
    transaction: stripe.BalanceTransaction,
    order_id: str,
    payout: stripe.Payout,
    status: PayoutStatus,
) -> BalanceTransactionPaidOut | None:
    """Return the message of one line of a payout; None when it is of no order."""
    currency = transaction.currency.upper()
    return _converted(
        BalanceTransactionPaidOut,
        order_id=order_id,
        balance_transaction_id=transaction.id,
        payout_id=payout.id,
        status=status,
        net_minor=amount_minor_of(transaction.net, currency),
        currency=currency,
        created_at_ms=payout.created * 1_000,
        arrival_at_ms=payout.arrival_date * 1_000,
    )


Shape = TypeVar("Shape", BalanceTransactionReported, BalanceTransactionPaidOut)


def _converted(shape: type[Shape], **fields: object) -> Shape | None:
    if not fields[TRANSACTION]:
        return None
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        about = fields["balance_transaction_id"]
        raise Unclear(f"{about} cannot be understood: {error}") from error


def _id_of(reference: object) -> str:
    """Return the id of what may be expanded; empty for nothing."""
    return reference if isinstance(reference, str) else str(getattr(reference, "id", "") or "")


# --- one reading ----------------------------------------------------------------


async def new_events(
    provider: ProviderSettlement, position: SettlementPosition, counts: Counts
) -> AsyncGenerator[list[Event]]:
    """Yield what is not known yet, in parts; a part is known once the next one is asked for.

    The oldest come first, so that what is on the topic says how far it was read. Raises Unclear.
    """
    for since, until in windows(position.since_seconds, int(time.time())):
        ours, others = await provider.transactions(since, until)
        counts.not_ours += others
        for part in chunks(position.new(ours)):
            yield part
            _note(position, counts, part)
    for payout in await provider.payouts(position.payouts_since_seconds):
        payout_lines = await provider.lines(payout)
        for part in chunks(position.new(payout_lines.lines)):
            yield part
            _note(position, counts, part)
        counts.payouts += 1
        position.note_payout(payout_lines.payout_id, payout_lines.created_ms, payout_lines.status)


def _note(position: SettlementPosition, counts: Counts, part: Sequence[Event]) -> None:
    counts.add(part)
    for each in part:
        position.note(each.event_id, each.message)
