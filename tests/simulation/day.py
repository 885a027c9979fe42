"""One bad day of a seed: what is asked of the house, and what must be true when it is over."""

import asyncio
from collections import Counter
from random import Random

from app.wire import envelope
from tests.simulation.house import House, Troubles
from workflows.inventory.stock_messages import ReceiveStock
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import NotificationFailed, NotificationSent, SendMessage
from workflows.order.messages import (
    Charge,
    Line,
    OrderCancelRequested,
    OrderPlaced,
    ReturnLine,
    ReturnRequested,
)
from workflows.order.saga_messages import OrderCancelled, OrderCompleted, ReturnAccepted
from workflows.payment.messages import PaymentCompleted, PaymentRefunded

SKUS = ("tea", "cup", "jar")


def bad_day(
    seed: int, loop: asyncio.AbstractEventLoop, kept: frozenset[int] | None = None
) -> House:
    """Return the house after one day of `seed`; of its troubles only those `kept`, when given."""
    house = House(seed, Troubles(seed, kept), loop)
    random = house.random
    for sku in SKUS:
        word = ReceiveStock(receipt_id=f"r-{sku}", sku=sku, quantity=random.randint(1, 8))
        house.say(word, f"receive-{sku}", sku, {})
    for number in range(random.choice([1, 1, 2])):
        place(house, random, f"o{number}")
    house.run()
    return house


def place(house: House, random: Random, order_id: str) -> None:
    """Place an order; now and then cancel it at once, or return some of it."""
    lines = tuple(
        Line(sku=sku, quantity=random.randint(1, 4), amount_minor=random.randint(0, 500))
        for sku in random.sample(SKUS, random.randint(1, 3))
    )
    total = sum(line.amount_minor for line in lines) + 100
    placed = OrderPlaced(
        order_id=order_id,
        customer_id=random.choice(["", "c1"]),
        country="France",
        currency="GBP",
        lines=lines,
        charges=(Charge(code="POST", amount_minor=100),),
        total_minor=total,
        payment_method="pm_card_visa",
        ordered_at_ms=house.now,
    )
    baggage = {"country": "France", "began_ms": str(house.now)}
    house.say(placed, envelope.derive_id(order_id, "placed"), order_id, baggage)
    if random.random() < 0.3:
        word = OrderCancelRequested(order_id=order_id)
        house.say(word, envelope.derive_id(order_id, "cancel"), order_id, baggage)
    if random.random() < 0.3:
        back = ReturnRequested(
            order_id=order_id,
            return_id=f"{order_id}-back",
            lines=(ReturnLine(sku=lines[0].sku, quantity=1, amount_minor=50),),
            amount_minor=50,
        )
        house.say(back, envelope.derive_id(order_id, "back"), order_id, baggage)


def check(house: House, seed: int) -> None:
    """Assert every promise on the day of `seed`."""
    context = f"seed {seed}; the last steps: {house.trace[-30:]}"
    assert all(cause == "exhausted" for _, cause in house.dead), context
    ends = Counter(
        word.order_id
        for word in house.words("sagas")
        if isinstance(word, OrderCompleted | OrderCancelled)
    )
    orders = [word for word in house.words("orders") if isinstance(word, OrderPlaced)]
    assert {order.order_id: 1 for order in orders} == dict(ends), context
    completed = {w.order_id for w in house.words("sagas") if isinstance(w, OrderCompleted)}
    for order in orders:
        _money(house, order, order.order_id in completed, context)
    _stock(house, orders, completed, context)
    _messages(house, context)


def _messages(house: House, context: str) -> None:
    """Every message asked for is sent, or given up and said so; none is told under two ids."""
    asked = {w.notification_id for w in house.words("notification.commands") if _sends(w)}
    told = house.words("notifications")
    ended = Counter(
        w.notification_id for w in told if isinstance(w, NotificationSent | NotificationFailed)
    )
    sent = {w.notification_id for w in told if isinstance(w, NotificationSent)}
    assert asked == set(ended), context
    assert sent <= {notification_id for _, notification_id in house.notifier.sent}, context


def _sends(word: object) -> bool:
    return isinstance(word, SendMessage)


def _money(house: House, order: OrderPlaced, completed: bool, context: str) -> None:
    """The provider, the payments and the ledger tell the same; a cancelled order costs nothing."""
    order_id = order.order_id
    returned = sum(
        word.amount_minor
        for word in house.words("sagas")
        if isinstance(word, ReturnAccepted) and word.order_id == order_id
    )
    owed = order.total_minor - returned if completed else 0
    told = 0
    for word in house.words("payments"):
        if word.order_id == order_id:
            told += word.amount_minor if isinstance(word, PaymentCompleted) else 0
            told -= word.amount_minor if isinstance(word, PaymentRefunded) else 0
    accounts: Counter[str] = Counter()
    for entry in house.words("ledger"):
        assert isinstance(entry, EntryPosted)
        assert sum(p.debit_minor for p in entry.postings) == sum(
            p.credit_minor for p in entry.postings
        ), context
        if entry.order_id == order_id:
            for posting in entry.postings:
                accounts[posting.account] += posting.debit_minor - posting.credit_minor
    assert (owed, owed, owed, 0) == (
        house.provider.kept_minor(order_id),
        told,
        accounts["cash_at_provider"],
        accounts["customer_receivable"],
    ), context


def _stock(house: House, orders: list[OrderPlaced], completed: set[str], context: str) -> None:
    """Every unit received is on hand, held by nobody at the end, or shipped."""
    stock = house.worker("stock")
    back: Counter[str] = Counter()
    for word in house.words("sagas"):
        if isinstance(word, ReturnAccepted):
            back.update({line.sku: line.quantity for line in word.lines if line.goods})
    for sku in SKUS:
        shelf = stock.memory(sku)
        gone = sum(
            line.quantity
            for order in orders
            if order.order_id in completed
            for line in order.lines
            if line.sku == sku
        )
        assert ({}, gone - back[sku]) == (dict(shelf.held), shelf.shipped), context
        assert shelf.received == shelf.on_hand + shelf.shipped, context
    assert {o for o, s in house.carrier.status.items() if s == "delivered"} == completed, context
