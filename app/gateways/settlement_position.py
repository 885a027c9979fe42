"""How far the provider's balance has been read: known from the events that were produced of it."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from app.wire.envelope import derive_id
from workflows.payment.settlement_messages import (
    BalanceTransactionPaidOut,
    BalanceTransactionReported,
    SettlementMessage,
)
from workflows.payment.topics import provider_settlements
from workflows.shared.message import Message, type_name

TOPIC = provider_settlements.name
DAY_SECONDS = 86_400
OVERLAP_SECONDS = 2 * DAY_SECONDS
"""How much of what is known is read again: a chunk of a day may have been produced in part."""
FIRST_DAYS = 31
"""What is older is read as one list, when nothing is known yet; the rest day by day."""
PAYOUT_DAYS = 10
"""How long after its making a payout may still change: banks return them within five days of
work."""
CHUNK_MAX = 500
"""Events that are produced together."""
FINAL = frozenset({"failed", "canceled"})
OPEN = "in_transit"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is to be produced."""

    event_id: str
    message: SettlementMessage


class SettlementFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading has come to."""

    transactions: int
    """Balance transactions of orders that were produced; those known before are not counted."""
    payouts: int
    """Payouts that were read."""
    payout_lines: int
    """Lines of payouts of orders that were produced, once a status."""
    not_ours: int
    """Balance transactions that were read and belong to no order of this installation."""
    fees_minor: dict[str, int]
    """Of the balance transactions that were produced, by currency."""
    paid_out_minor: dict[str, int]
    """Of the lines that were produced as paid, by currency."""


class SettlementPosition:
    """What is on the topic already."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._newest_ms = 0
        self._payouts: dict[str, tuple[int, str]] = {}
        """When each was made (ms), and its latest status."""

    def __len__(self) -> int:
        """Return the number of events that are known."""
        return len(self._known)

    def note(self, event_id: str, message: Message) -> None:
        """Note an event that is on the topic."""
        self._known.add(event_id)
        match message:
            case BalanceTransactionReported(created_at_ms=at_ms):
                self._newest_ms = max(self._newest_ms, at_ms)
            case BalanceTransactionPaidOut():
                self.note_payout(message.payout_id, message.created_at_ms, message.status)
            case _:
                pass

    def note_payout(self, payout_id: str, created_ms: int, status: str) -> None:
        """Note the status of a payout, whether or not it has lines of ours."""
        if self._payouts.get(payout_id, (0, ""))[1] not in FINAL:
            self._payouts[payout_id] = (created_ms, status)

    @property
    def since_seconds(self) -> int | None:
        """Return from when on balance transactions are read; None: from the first one."""
        return self._newest_ms // 1_000 - OVERLAP_SECONDS if self._newest_ms else None

    @property
    def payouts_since_seconds(self) -> int:
        """Return from when on payouts are read: those that may still change, and newer ones."""
        if not self._payouts:
            return 0
        newest_ms = max(created_ms for created_ms, _ in self._payouts.values())
        still_open = [at_ms for at_ms, status in self._payouts.values() if status == OPEN]
        return min(
            newest_ms // 1_000 - PAYOUT_DAYS * DAY_SECONDS,
            min(still_open, default=newest_ms) // 1_000,
        )

    def new(self, messages: Sequence[SettlementMessage]) -> list[Event]:
        """Return what of `messages` is not known yet, in their order."""
        events = [Event(event_id=event_id_of(each), message=each) for each in messages]
        return [each for each in events if each.event_id not in self._known]


class Counts:
    """Counts one reading."""

    def __init__(self) -> None:
        self.not_ours = self.transactions = self.payouts = self.lines = 0
        self._fees_minor: Counter[str] = Counter()
        self._paid_minor: Counter[str] = Counter()

    def add(self, events: Sequence[Event]) -> None:
        """Count what was produced."""
        for message in (each.message for each in events):
            match message:
                case BalanceTransactionReported():
                    self.transactions += 1
                    self._fees_minor[message.currency] += message.fee_minor
                case BalanceTransactionPaidOut():
                    self.lines += 1
                    if message.status == "paid":
                        self._paid_minor[message.currency] += message.net_minor

    def figures(self) -> SettlementFigures:
        """Return the figures of the reading."""
        return SettlementFigures(
            transactions=self.transactions,
            payouts=self.payouts,
            payout_lines=self.lines,
            not_ours=self.not_ours,
            fees_minor=dict(sorted(self._fees_minor.items())),
            paid_out_minor=dict(sorted(self._paid_minor.items())),
        )


def event_id_of(message: SettlementMessage) -> str:
    """Return the id of the event: the same balance transaction, payout and status, the same id."""
    kind = type_name(type(message))
    about = message.balance_transaction_id
    if isinstance(message, BalanceTransactionReported):
        return derive_id("settlement", kind, about)
    return derive_id("settlement", kind, about, message.payout_id, message.status)


def windows(since_seconds: int | None, now_seconds: int) -> Iterator[tuple[int, int | None]]:
    """Yield the times to read one after the other, so that each is produced before the next.

    The last has no end: the provider's clock may be ahead of ours.
    """
    begin = since_seconds
    if begin is None:
        begin = now_seconds - FIRST_DAYS * DAY_SECONDS
        yield 0, begin
    while begin + DAY_SECONDS < now_seconds:
        yield begin, begin + DAY_SECONDS
        begin += DAY_SECONDS
    yield begin, None


def chunks(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Yield `events` in parts that are produced together, none of which spans more than a day.

    So what is missing of a part that was produced halfway lies within the overlap.
    """
    part: list[Event] = []
    for each in events:
        first_ms = part[0].message.created_at_ms if part else each.message.created_at_ms
        span_ms = each.message.created_at_ms - first_ms
        if part and (len(part) == CHUNK_MAX or span_ms > DAY_SECONDS * 1_000):
            yield part
            part = []
        part.append(each)
    if part:
        yield part
