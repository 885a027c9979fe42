"""What `verify` knows: every fact of Payflow as a few numbers an order and a SKU.

Bodies are not kept, so a million events fit in memory.
"""

from collections import Counter

import msgspec


class ReturnFacts(msgspec.Struct, kw_only=True):
    """One return of an order: what was promised and what came of it."""

    requested_ms: int = 0
    accepted_ms: int = 0
    amount_minor: int = 0
    goods: tuple[tuple[str, int], ...] = ()
    """SKU and units that go back on the shelf."""
    refused: str = ""
    refunds: int = 0
    refunded_minor: int = 0
    restocked: int = 0

    @property
    def settled(self) -> bool:
        """Return whether nothing more is to come: refused, or refunded and back on the shelf."""
        return bool(self.refused) or bool(self.accepted_ms and self.refunds and self.restocked)


class OrderFacts(msgspec.Struct, kw_only=True):
    """One order, as the topics emit it. Times are milliseconds, money is minor units."""

    placed_ms: int = 0
    """0: never placed, though something else is emitted about it."""
    last_ms: int = 0
    total_minor: int = 0
    lines: tuple[tuple[str, int], ...] = ()
    """SKU and units, once a SKU."""
    completed: int = 0
    cancelled: int = 0
    cause: str = ""
    end_ms: int = 0
    """When the customer knew: the first shipment or cancellation. 0: not yet."""
    payments: int = 0
    paid_minor: int = 0
    refunded_minor: int = 0
    cleared: bool = False
    reserved: bool = False
    released: bool = False
    created: bool = False
    stopped: bool = False
    """The shipment was withdrawn after it had been created."""
    delivered: bool = False
    accounts: dict[str, int] = {}
    """`currency/account` → debits less credits."""
    returns: dict[str, ReturnFacts] = {}
    refunds_overdue: set[str] = set()
    """The keys of refunds that payment has emitted to be overdue, and that have not come since."""

    @property
    def ends(self) -> int:
        """Return how many ends were emitted; one is right."""
        return self.completed + self.cancelled

    @property
    def shipped(self) -> bool:
        """Return whether the goods have left and were not called back."""
        return self.created and not self.stopped

    def balance(self, account: str) -> int:
        """Return the balance of `account` over all currencies, in minor units."""
        return sum(amount for name, amount in self.accounts.items() if name.endswith(f"/{account}"))


class Shelf(msgspec.Struct, kw_only=True):
    """One SKU's numbers, in units: as a row has them, or as the topics add up to."""

    received: int = 0
    on_hand: int = 0
    held: int = 0
    shipped: int = 0


class Delivery(msgspec.Struct, kw_only=True):
    """One receipt or adjustment of the warehouse, asked and answered."""

    sku: str = ""
    units: int = 0
    asks: int = 0
    answers: int = 0
    last_ms: int = 0


class Taken(msgspec.Struct, kw_only=True):
    """What the provider's own file says of one order."""

    charges: int = 0
    charged_minor: int = 0
    refunded_minor: int = 0
    last_ms: int = 0


class Shipment(msgspec.Struct, kw_only=True):
    """What the carrier's own file says of one order."""

    status: str
    last_ms: int = 0


class Lost(msgspec.Struct, kw_only=True):
    """A record nobody can read, met on a topic."""

    digest: bytes
    due_in: frozenset[str]
    """The dead topics of the services that have passed it."""


class Facts(msgspec.Struct, kw_only=True):
    """Everything known. Made empty, filled by `fold` and by the readers of rows and files."""

    orders: dict[str, OrderFacts] = {}
    provider: dict[str, Taken] | None = None
    """The provider's own records by order id; None when they cannot be seen."""
    carrier: dict[str, Shipment] | None = None
    """The carrier's own records by order id; None when it cannot be seen."""
    shelves: dict[str, Shelf] = {}
    """Stock rows by SKU."""
    received: Counter[str] = msgspec.field(default_factory=Counter)
    """Units received and adjusted, by SKU, as emitted on `stock`."""
    deliveries: dict[str, Delivery] = {}
    overdue_at_ms: dict[str, int] = {}
    """When an order that is still open counts as stuck, from the order's own rows."""
    unbalanced: list[str] = []
    """Entries whose debits are not their credits."""
    unreadable: dict[str, Lost] = {}
    """By `topic/partition/offset`."""
    dead: dict[str, Counter[str]] = {}
    """Dead letters by topic and cause."""
    dead_digests: dict[str, dict[str, set[bytes]]] = {}
    """By origin and dead topic: digests of the bytes dead-lettered. Anybody may claim an origin."""
    foreign_dead_letters: int = 0
    """Records in dead topics that no service of Payflow has laid there."""
    nameless: list[str] = []
    """Dead letters without bytes, cause or origin."""
    parked: int = 0
    """Events that wait in retry topics."""
    parked_late: list[str] = []
    """Those whose time has passed, as `topic/partition/offset`."""
    pending: set[str] = set()
    """Orders and SKUs about which something is emitted that a service has yet to receive."""
    duplicates: int = 0
    seen: set[int] = set()

    def forget_what_moves(self) -> None:
        """Forget what is only true of one moment, before everything is looked at again."""
        self.pending.clear()
        self.parked = 0
        self.parked_late.clear()

    def order(self, order_id: str) -> OrderFacts:
        """Return the facts of `order_id`, new when it is not known yet."""
        known = self.orders.get(order_id)
        if known is None:
            known = self.orders[order_id] = OrderFacts()
        return known
