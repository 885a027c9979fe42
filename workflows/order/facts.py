"""What `verify` knows of orders: every fact as a few numbers an order and a SKU.

Bodies are not kept, so a million events fit in memory.
"""

from collections import Counter
from dataclasses import dataclass, field

from workflows.order.partial_shipment import PartialShipment
from workflows.order.return_amount import Sale

NO_SALE = Sale()


@dataclass(kw_only=True, slots=True)
class ReturnFacts:
    """One return of an order: what was accepted and what has followed."""

    requested_ms: int = 0
    accepted_ms: int = 0
    amount_minor: int = 0
    units: tuple[tuple[str, int], ...] = ()
    """SKU and units that go back on the shelf."""
    units_by_line: tuple[tuple[int, int], ...] = ()
    """Number of the line and units; empty when the amount was not computed from them."""
    refused: str = ""
    refunds: int = 0
    refunded_minor: int = 0
    restocked: int = 0

    @property
    def is_over(self) -> bool:
        """Return whether it is over: refused, or refunded and restocked."""
        is_refunded = bool(self.refunds) or not self.amount_minor
        return bool(self.refused) or bool(self.accepted_ms and is_refunded and self.restocked)


@dataclass(kw_only=True, slots=True)
class OrderFacts:
    """One order, by the events on the topics. Times are milliseconds, money is minor units."""

    placed_ms: int = 0
    """0: never placed, though there are other events about it."""
    last_ms: int = 0
    total_minor: int = 0
    currency: str = ""
    """Of what was paid, or else of what was ordered."""
    lines: tuple[tuple[str, int], ...] = ()
    """SKU and units, once a SKU."""
    sale: Sale = NO_SALE
    may_ship_in_part: bool = False
    partial: PartialShipment | None = None
    """What ships, where not all lines do."""
    completed: int = 0
    cancelled: int = 0
    cause: str = ""
    end_ms: int = 0
    """The time of the first shipment or cancellation. 0: not yet."""
    payments: int = 0
    paid_minor: int = 0
    hold_id: str = ""
    """The provider's id of the intent that held the money; empty where none was held."""
    hold_currency: str = ""
    authorized_minor: int = 0
    captured_minor: int = 0
    """What of the hold was taken; the rest of a hold of which a part is taken is voided."""
    voided_minor: int = 0
    let_go_minor: int = 0
    """What of the hold was not taken, since not all lines have left."""
    capture_case: bool = False
    """The money could not be taken after the items had left, and no operator has ended it."""
    written_off: bool = False
    action_until_ms: int = 0
    """Until when the customer, or the provider, may act before the payment goes on."""
    mismatched: bool = False
    """The provider has taken another amount than it was asked for."""
    refunded_minor: int = 0
    unshipped_refunds: int = 0
    unshipped_refunded_minor: int = 0
    """What of it was for lines that have not left."""
    by_hand_minor: int = 0
    """What of it did not go through the provider."""
    disputed_minor: int = 0
    """What banks have taken for disputes and not returned, without fees; and lost for good:"""
    lost_minor: int = 0
    covered_minor: int = 0
    """What of refunds the bank has refunded, so that we do not."""
    disputes_open: set[str] = field(default_factory=set[str])
    """The ids of disputes that are not decided."""
    cleared: bool = False
    reserved: bool = False
    released: bool = False
    created: bool = False
    stopped: bool = False
    """The shipment was withdrawn after it had been created."""
    delivered: bool = False
    accounts: dict[str, int] = field(default_factory=dict[str, int])
    """`currency/account` → debits less credits."""
    returns: dict[str, ReturnFacts] = field(default_factory=dict[str, ReturnFacts])
    refunds_overdue: set[str] = field(default_factory=set[str])
    """The keys of refunds reported as overdue or as a case that have not succeeded since."""
    refunds_pending: set[str] = field(default_factory=set[str])
    """The keys of refunds that are pending, or have failed and are asked for again."""

    @property
    def ends(self) -> int:
        """Return how many ends were emitted; one is right."""
        return self.completed + self.cancelled

    @property
    def is_paid(self) -> bool:
        """Return whether the money was taken, or held."""
        return bool(self.payments or self.authorized_minor)

    @property
    def shipped(self) -> bool:
        """Return whether the items have left and were not called back."""
        return self.created and not self.stopped

    @property
    def shipping_lines(self) -> tuple[tuple[str, int], ...]:
        """Return SKU and units of `lines` that ship, when the order does."""
        missing = {each.sku for each in self.partial.unavailable} if self.partial else set[str]()
        return tuple((sku, units) for sku, units in self.lines if sku not in missing)

    @property
    def released_minor(self) -> int:
        """Return what of the total is not charged, since not all lines ship."""
        return self.partial.released_minor if self.partial else 0

    @property
    def unshipped_due_minor(self) -> int:
        """Return what is to be refunded for lines that have not left: it was taken at once."""
        is_due = self.shipped and bool(self.payments)
        return self.released_minor - self.let_go_minor if is_due else 0

    def balance(self, account: str) -> int:
        """Return the balance of `account` in the currency of the order, in minor units."""
        return self.accounts.get(f"{self.currency}/{account}", 0)

    def foreign(self) -> list[str]:
        """Return the accounts in another currency that are not zero."""
        own = f"{self.currency}/"
        return [name for name, amount in self.accounts.items() if amount and own not in name]

    def returned(self, return_id: str) -> ReturnFacts:
        """Return the facts of one return, new when it is not known yet."""
        return self.returns.setdefault(return_id, ReturnFacts())


@dataclass(kw_only=True, slots=True)
class Shelf:
    """The stock of one SKU, in units: by its row, or summed over the topics."""

    received: int = 0
    on_hand: int = 0
    held: int = 0
    shipped: int = 0


@dataclass(kw_only=True, slots=True)
class Delivery:
    """A receipt or adjustment: its requests and answers; `before` names it as versions before."""

    sku: str = ""
    before: str = ""
    units: int = 0
    asks: int = 0
    answers: int = 0
    last_ms: int = 0


@dataclass(kw_only=True, slots=True)
class Facts:
    """All facts. It starts empty, and `workflows.order.fact_projection` fills it."""

    orders: dict[str, OrderFacts] = field(default_factory=dict[str, OrderFacts])
    shelves: dict[str, Shelf] = field(default_factory=dict[str, Shelf])
    """Stock rows by SKU."""
    received: Counter[str] = field(default_factory=Counter[str])
    """Units received and adjusted, by SKU, as emitted on `stock`."""
    deliveries: dict[str, Delivery] = field(default_factory=dict[str, Delivery])
    overdue_at_ms: dict[str, int] = field(default_factory=dict[str, int])
    """When an order that is still open counts as stuck, from the order's own rows."""
    unbalanced: list[str] = field(default_factory=list[str])
    """Entries whose debits are not their credits."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    """Skus, accounts and causes, each held once however often it is met."""

    def interned(self, name: str) -> str:
        """Return `name`, the same object for all that are equal."""
        return self.names.setdefault(name, name)

    def order(self, order_id: str) -> OrderFacts:
        """Return the facts of `order_id`, new when it is not known yet."""
        order = self.orders.get(order_id)
        if order is None:
            order = self.orders[order_id] = OrderFacts()
        return order
