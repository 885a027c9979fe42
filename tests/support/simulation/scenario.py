"""The simulated scenario of a seed: its orders, its faults, and what must be true at the end."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any, Protocol

from agents.analytics import FIGURES
from app.delivery.agent_topics import consumed_topics
from app.delivery.row import decode_row
from app.wire import codecs
from app.wire.envelope import derive_id, from_headers
from tests.support.simulation.world import Troubles, World
from workflows.inventory.messages import InventoryReserved
from workflows.inventory.stock_messages import ReceiveStock
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import (
    NotificationFailed,
    NotificationSent,
    NotificationWithheld,
    RequestMessage,
    SendMessage,
)
from workflows.order.messages import (
    Charge,
    Line,
    OrderCancelRequested,
    OrderPlaced,
    ReturnLine,
    ReturnRequested,
)
from workflows.order.partial_shipment import PartialShipment
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    ReturnAccepted,
    ReturnRefused,
)
from workflows.payment.capture_messages import PaymentWrittenOff
from workflows.payment.dispute_messages import DisputeFundsReinstated, DisputeFundsWithdrawn
from workflows.payment.messages import PaymentCompleted, PaymentRefunded, PaymentRefundFailed
from workflows.shared.figures import figure_of
from workflows.shared.message import Message
from workflows.shared.provider_currencies import step_minor

SKUS = ("tea", "cup", "jar")
CURRENCIES = ("GBP", "JPY", "KWD")
"""Two orders of one seed are in different ones."""
CAPTURED_LATER = 3
"""In every third seed money is held first, and taken when the items leave."""
SHIPPED_IN_PART = 4
"""In every fourth seed lines that are out of stock are left out, with either way to take money."""
REVENUE = tuple(figure_of("revenue_minor", currency) for currency in CURRENCIES)


def run_scenario(
    seed: int, loop: asyncio.AbstractEventLoop, fault_numbers: frozenset[int] | None = None
) -> World:
    """Return the world after the scenario of `seed`; with only `fault_numbers`, when given."""
    world = World(seed, Troubles(seed, fault_numbers), loop)
    random = world.random
    for sku in SKUS:
        message = ReceiveStock(receipt_id=f"r-{sku}", sku=sku, quantity=random.randint(1, 8))
        world.say(message, f"receive-{sku}", sku, {})
    for number in range(random.choice([1, 1, 2])):
        place(world, random, f"o{number}")
    world.run()
    complain(world)
    return world


def complain(world: World) -> None:
    """Let customers dispute what is long completed, and send items back meanwhile or after."""
    world.complain()
    for placed in [each for each in world.messages("orders") if isinstance(each, OrderPlaced)]:
        is_disputed = placed.order_id in world.provider.bank.disputes
        if is_disputed and Random(f"{world.seed} {placed.order_id} late").random() < 0.5:
            send_back(world, placed, {}, "late")
    world.run()
    while world.provider.bank.notices:
        world.run()


def place(world: World, random: Random, order_id: str) -> None:
    """Place an order; now and then cancel it at once, or return some of it."""
    lines = tuple(
        Line(sku=sku, quantity=random.randint(1, 4), amount_minor=random.randint(0, 500))
        for sku in random.sample(SKUS, random.randint(1, 3))
    )
    currency = CURRENCIES[(world.seed + ord(order_id[-1])) % len(CURRENCIES)]
    items_minor = sum(line.amount_minor for line in lines)
    # The API takes what a card can move: dinars in steps of 0.010.
    postage_minor = 100 + -items_minor % step_minor(currency)
    placed = OrderPlaced(
        order_id=order_id,
        customer_id=random.choice(["", "c1"]),
        country="France",
        currency=currency,
        lines=lines,
        charges=(Charge(code="POST", amount_minor=postage_minor),),
        total_minor=items_minor + postage_minor,
        payment_method="pm_card_visa",
        ordered_at_ms=world.now,
        capture="automatic" if world.seed % CAPTURED_LATER else "at_shipment",
        partial_shipment=world.seed % SHIPPED_IN_PART == 0,
    )
    baggage = {"country": "France", "began_ms": str(world.now)}
    world.say(placed, derive_id(order_id, "placed"), order_id, baggage)
    if random.random() < 0.3:
        message = OrderCancelRequested(order_id=order_id)
        world.say(message, derive_id(order_id, "cancel"), order_id, baggage)
    if random.random() < 0.3:
        send_back(world, placed, baggage)


def send_back(
    world: World, placed: OrderPlaced, baggage: dict[str, str], name: str = "back"
) -> None:
    """Return some units, once or twice, together at times more than there are."""
    # Of its own, so that returns change nothing else that the seed decides.
    random = Random(f"{placed.order_id} {placed.total_minor}")
    order_id = placed.order_id
    for number in range(random.choice([1, 1, 2])):
        returned = tuple(
            ReturnLine(sku=line.sku, quantity=random.randint(1, line.quantity))
            for line in random.sample(placed.lines, random.randint(1, len(placed.lines)))
        )
        return_id = f"{order_id}-{name}{number or ''}"
        back = ReturnRequested(order_id=order_id, return_id=return_id, lines=returned)
        world.say(back, derive_id(order_id, f"{name}{number or ''}"), order_id, baggage)


def check(world: World, seed: int) -> None:
    """Assert every promise at the end of the scenario of `seed`."""
    context = f"seed {seed}; the last steps: {world.trace[-30:]}"
    assert all(cause == "exhausted" for _, cause in world.dead), context
    check_orders(world, context)
    _messages(world, context)
    _figures(world, context)


class Ended(Protocol):
    """What a world has to show at its end, with the engine or without."""

    provider: Any
    carrier: Any

    def messages(self, topic: str) -> list[Message]:
        """Return what was emitted on `topic`, each event once."""
        ...

    def state(self, name: str, key: str) -> Any:
        """Return what the agent `name` remembers of `key`."""
        ...


def check_orders(world: Ended, context: str) -> None:
    """Assert that every order has one end, and that money, items and shipments agree with it."""
    ends = Counter(
        message.order_id
        for message in world.messages("sagas")
        if isinstance(message, OrderCompleted | OrderCancelled)
    )
    orders = [message for message in world.messages("orders") if isinstance(message, OrderPlaced)]
    assert {order.order_id: 1 for order in orders} == dict(ends), context
    completed = {w.order_id for w in world.messages("sagas") if isinstance(w, OrderCompleted)}
    for order in orders:
        _money(world, order, order.order_id in completed, context)
        _returns(world, order, order.order_id in completed, context)
    _stock(world, orders, completed, context)


def _figures(world: World, context: str) -> None:
    """Every event counts once, however often it was produced and read: its time never changes."""
    analytics = world.worker("analytics")
    assert analytics.agent.table is not None
    counted: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    for body in analytics.disk.values():
        figures = decode_row(analytics.agent.table, body).state
        counted.update({name: figures.counts.get(name, 0) for name in FIGURES.values()})
        revenue.update({name: figures.sums.get(name, 0) for name in REVENUE})
    paid: dict[str, PaymentCompleted] = {}
    produced: set[tuple[str, str]] = set()
    for topic in consumed_topics(analytics.agent):
        for record in world.log.get(topic, ()):
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
            if type(message) in FIGURES:
                produced.add((FIGURES[type(message)], envelope.id))
            if isinstance(message, PaymentCompleted):
                paid[envelope.id] = message
    by_currency: Counter[str] = Counter()
    for message in paid.values():
        by_currency[figure_of("revenue_minor", message.currency)] += message.amount_minor
    assert by_currency == +revenue, context
    assert Counter(name for name, _ in produced) == +counted, context


def _messages(world: World, context: str) -> None:
    """Every message asked for is sent, or given up and said so; none is emitted under two ids."""
    command_ids = {w.notification_id for w in world.messages("notification.commands") if _sends(w)}
    emitted = world.messages("notifications")
    ended = Counter(
        w.notification_id for w in emitted if isinstance(w, NotificationSent | NotificationFailed)
    )
    sent = {w.notification_id for w in emitted if isinstance(w, NotificationSent)}
    over = {w.notification_id for w in emitted if isinstance(w, NotificationWithheld)}
    requests = [w for w in world.messages("notification.requests") if isinstance(w, RequestMessage)]
    assert {w.notification_id for w in requests} == command_ids | over, context
    assert command_ids == set(ended), context
    assert sent <= {notification_id for _, notification_id in world.notifier.sent}, context


def _sends(message: object) -> bool:
    return isinstance(message, SendMessage)


def _money(world: Ended, order: OrderPlaced, completed: bool, context: str) -> None:
    """The provider, the payments and the ledger agree; a cancelled order costs nothing."""
    order_id = order.order_id
    returned = sum(
        message.amount_minor
        for message in world.messages("sagas")
        if isinstance(message, ReturnAccepted) and message.order_id == order_id
    )
    lost = [
        message
        for message in world.messages("payments")
        if isinstance(message, PaymentWrittenOff) and message.transaction_id == order_id
    ]
    taken_minor = world.provider.charged.get(order_id, 0)
    released = released_minor(world, order)
    is_held = order.capture == "at_shipment"
    if completed and not lost:
        due_minor = order.total_minor - (released if is_held else 0)
        # A capture may be one minor unit short: then PaymentMismatch says so.
        assert due_minor - int(is_held) <= taken_minor <= due_minor, context
    pending = taken_minor - returned - (0 if is_held else released) if completed else 0
    assert pending >= 0, context
    by_hand = sum(
        message.amount_minor
        for message in world.messages("payments")
        if isinstance(message, PaymentRefunded)
        and message.transaction_id == order_id
        and message.by_hand
    )
    if by_bank_minor := world.provider.bank.kept_minor(order_id):
        # What the bank has refunded, or we before, is refunded once.
        kept_minor = world.provider.kept_minor(order_id)
        # What an operator had paid by a transfer, no bank knows of: it may be paid twice.
        left_minor = kept_minor - by_hand
        assert kept_minor >= 0, context
        assert left_minor <= min(pending, taken_minor - by_bank_minor), context
        pending = left_minor
    emitted = 0
    for message in world.messages("payments"):
        if message.transaction_id == order_id:
            emitted += message.amount_minor if isinstance(message, PaymentCompleted) else 0
            emitted -= message.amount_minor if isinstance(message, PaymentRefunded) else 0
            if isinstance(message, PaymentRefundFailed) and message.was_refunded:
                emitted += message.amount_minor
            emitted -= message.amount_minor if isinstance(message, DisputeFundsWithdrawn) else 0
            emitted += message.amount_minor if isinstance(message, DisputeFundsReinstated) else 0
    accounts: Counter[str] = Counter()
    for entry in world.messages("ledger"):
        assert isinstance(entry, EntryPosted)
        assert sum(p.debit_minor for p in entry.postings) == sum(
            p.credit_minor for p in entry.postings
        ), context
        if entry.transaction_id == order_id:
            for posting in entry.postings:
                accounts[posting.account] += posting.debit_minor - posting.credit_minor
    fees = world.provider.bank.fees_minor(order_id)
    assert (pending, pending, pending, -by_hand, fees, 0, 0) == (
        world.provider.kept_minor(order_id) - by_hand,
        emitted,
        accounts["cash_at_provider"] + accounts["cash_at_bank"] + accounts["dispute_fees"],
        accounts["cash_at_bank"],
        accounts["dispute_fees"],
        accounts["customer_receivable"],
        accounts["disputes_receivable"],
    ), context


def shipment_of(world: Ended, order: OrderPlaced) -> PartialShipment | None:
    """Return what ships of an order, where not all of it does."""
    reserved = (m for m in world.messages("inventory") if isinstance(m, InventoryReserved))
    shipment = {m.order_id: m.partial for m in reserved}.get(order.order_id)
    assert shipment is None or order.partial_shipment
    return shipment


def released_minor(world: Ended, order: OrderPlaced) -> int:
    """Return what of the total is not charged, since not all lines ship."""
    partial = shipment_of(world, order)
    return partial.released_minor if partial else 0


def shipping_units(world: Ended, order: OrderPlaced) -> Counter[str]:
    """Return the units that ship, by SKU, if the order does."""
    partial = shipment_of(world, order)
    missing = {each.sku for each in partial.unavailable} if partial else set[str]()
    return units_of(line for line in order.lines if line.sku not in missing)


def units_of(lines: Iterable[Line | ReturnLine]) -> Counter[str]:
    """Return the units of `lines` by SKU, of which there may be several lines."""
    units: Counter[str] = Counter()
    for line in lines:
        units[line.sku] += line.quantity
    return units


def _returns(world: Ended, order: OrderPlaced, completed: bool, context: str) -> None:
    """Every return has one answer; what comes back was sold, and all of it is all that was paid."""
    emitted = [m for m in world.messages("sagas") if isinstance(m, ReturnAccepted | ReturnRefused)]
    answers = [m for m in emitted if m.order_id == order.order_id]
    requested = [m for m in world.messages("orders") if isinstance(m, ReturnRequested)]
    requested = [m for m in requested if m.order_id == order.order_id]
    return_ids = {m.return_id for m in requested}
    assert dict.fromkeys(return_ids, 1) == Counter(m.return_id for m in answers), context
    accepted = [m for m in answers if isinstance(m, ReturnAccepted)]
    assert completed or not accepted, context
    left = shipping_units(world, order)
    for message in accepted:
        left.subtract(units_of(message.lines))
    assert min(left.values(), default=0) >= 0, context
    # An earlier version asked for an amount of its own, which may be less than was paid. And what
    # was written off when items came back may be paid after all.
    is_own = any(m.amount_minor for m in requested)
    is_lost = any(
        isinstance(m, PaymentWrittenOff) and m.transaction_id == order.order_id
        for m in world.messages("payments")
    ) and any(m.computed and m.computed.withheld_minor for m in accepted)
    if order.lines and not left.total() and not is_own and not is_lost:
        # What was taken, which is nothing where a capture failed and was written off.
        taken_minor = world.provider.charged.get(order.order_id, 0)
        taken_minor -= released_minor(world, order) if order.capture == "automatic" else 0
        assert taken_minor == sum(m.amount_minor for m in accepted), context


def _stock(world: Ended, orders: list[OrderPlaced], completed: set[str], context: str) -> None:
    """Every unit received is on hand, held by nobody at the end, or shipped."""
    back: Counter[str] = Counter()
    for message in world.messages("sagas"):
        if isinstance(message, ReturnAccepted):
            back += units_of(line for line in message.lines if line.goods)
    for sku in SKUS:
        shelf = world.state("stock", sku)
        shipped_units = sum(
            shipping_units(world, order)[sku] for order in orders if order.order_id in completed
        )
        assert ({}, shipped_units - back[sku]) == (dict(shelf.held), shelf.shipped), context
        assert shelf.received == shelf.on_hand + shelf.shipped, context
    assert {o for o, s in world.carrier.status.items() if s == "delivered"} == completed, context
