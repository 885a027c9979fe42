"""The decisions of six agents without the engine, under any order of arrival that a seed chooses.

`world.py` runs the real engine, which keeps from the decisions most of what could reach them: a row
knows which events it has applied, and an agent reads each topic in the order produced. Here nothing
lies between a message and `decide` and `evolve`. Only the messages of one key on one topic arrive
in the order emitted. Any of them may be received again at any later time, and nothing drops it. A
command may have its effect long after its outcome was said to be unknown, and the provider may
charge what it has voided. So what holds here holds however messages are delivered. A seed takes a
twelfth of the time that it takes there.

The external systems, the operator and the checks at the end are those of `world.py`.
"""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

import msgspec

from agents.inventory import inventory_agent
from agents.ledger import ledger_agent
from agents.order import order_agent
from agents.payment import payment_agent
from agents.shipping import shipping_agent
from agents.stock import stock_agent
from app.delivery import decision
from app.delivery.agent import due_of
from tests.support.simulation.external_systems import Carrier, Provider
from tests.support.simulation.scenario import CAPTURED_LATER, SHIPPED_IN_PART, SKUS
from tests.support.simulation.troubles import Troubles
from tests.support.simulation.world import decision_of
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.stock import Stock
from workflows.inventory.stock_messages import AdjustStock, ReceiveStock
from workflows.order.messages import (
    Charge,
    Line,
    OrderCancelRequested,
    OrderPlaced,
    ReturnLine,
    ReturnRequested,
)
from workflows.order.saga_messages import StepOverdue
from workflows.payment.capture_messages import PaymentAuthorized
from workflows.payment.messages import PaymentCompleted
from workflows.payment.provider_messages import VoidCharge
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shared.topic import topic_of
from workflows.shipping.messages import ShipmentCreated

AGENTS = {
    agent.name: agent
    for agent in (
        order_agent,
        payment_agent,
        inventory_agent,
        stock_agent,
        shipping_agent,
        ledger_agent,
    )
}
STEPS_MAX = 30_000
START_MS = 1_700_000_000_000
NEVER_MS = 1 << 62
"""When a row is due that waits for no deadline."""


class PureWorld:
    """The agents, the topics between them and a clock; only `random` chooses what happens next."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.troubles = Troubles(seed)
        self.decision = self.reference = ""
        self.captures_later = seed % CAPTURED_LATER == 0
        self.ships_in_part = seed % SHIPPED_IN_PART == 0
        self.now_ms = START_MS
        trouble = self.random.choice([0, 0.2, 0.6])
        self.provider = Provider(self.random, self.troubles, trouble)
        self.carrier = Carrier(self.random, self.troubles, trouble)
        self.carrier.hurries = 0
        self.is_late = self.random.choice([0, 0.1, 0.3])
        """How often a command has its effect after nobody knew what came of it."""
        self.betrays = self.random.random() < 0.3 and not self.ships_in_part
        """Whether the provider charges what it said was voided. Of an order that ships in part that
        is another amount than is due, which PaymentMismatch says."""
        self.judged: set[str] = set()
        self.entities: dict[tuple[str, str], Callable[[Any], None]] = {
            ("provider", "provider.commands"): partial(self.ask, self.provider),
            ("carrier", "carrier.commands"): partial(self.ask, self.carrier),
            ("fraud", "payments"): self.judge,
        }
        self.listeners: dict[str, list[str]] = defaultdict(list)
        for agent in AGENTS.values():
            for topic in agent.consumes:
                self.listeners[topic.name].append(agent.name)
        for name, topic in self.entities:
            self.listeners[topic].append(name)
        self.rows = {(name, ""): agent.table.initial for name, agent in AGENTS.items()}
        self.due_ms: dict[tuple[str, str], int] = {}
        self.log: dict[tuple[str, str], list[tuple[Message, int]]] = defaultdict(list)
        self.read: dict[tuple[str, str, str], int] = defaultdict(int)
        self.unread: list[tuple[str, str, str]] = []
        self.later: list[Callable[[], None]] = []
        self.rung: set[tuple[str, str, int]] = set()
        self.emitted: list[Message] = []
        self.on_topic: dict[str, list[Message]] = defaultdict(list)
        self.slow = self.random.choice([*self.listeners, ""])
        self.orders: dict[str, OrderPlaced] = {}

    def state(self, name: str, key: str) -> Any:
        return self.rows.get((name, key), AGENTS[name].table.initial)

    def messages(self, topic: str) -> list[Message]:
        return self.on_topic[topic]

    def publish(self, message: Message) -> None:
        topic = topic_of(message)
        key = topic.key(message)
        self.emitted.append(message)
        self.on_topic[topic.name].append(message)
        self.log[topic.name, key].append((message, self.now_ms))
        for name in self.listeners[topic.name]:
            if (name, topic.name, key) not in self.unread:
                self.unread.append((name, topic.name, key))
        if isinstance(message, ShipmentCreated) and self.random.random() < 0.4:
            change_of_mind = OrderCancelRequested(order_id=message.order_id)
            self.later.insert(0, lambda: self.publish(change_of_mind))
        if isinstance(message, PaymentAuthorized) and self.random.random() < 0.3:
            held = message.transaction_id
            self.later.insert(0, lambda: self.end_hold(held))
        decided = decision_of(self, message, f"{len(self.emitted)}")
        if decided is not None:
            self.later.append(lambda: self.publish(decided))

    # --- the outside ---

    def ask(self, system: Provider | Carrier, command: Any) -> None:
        """Let `system` answer `command`, or do it late, when nobody waits for its answer."""
        if self.random.random() < self.is_late:
            if self.random.random() < 0.5:
                self.later.append(lambda: self.answer(system, command))
            self.publish(system.unknown(command, "500"))
        else:
            for answer in self.answer(system, command):
                self.publish(answer)

    def answer(self, system: Provider | Carrier, command: Any) -> tuple[Message, ...]:
        before = self.carrier.status.get(command.order_id) if system is self.carrier else ""
        answers = answers_of(system.call(command))
        if before is None and command.order_id in self.carrier.status:
            self.later.append(lambda: self.travel(command.order_id))
        is_void = isinstance(command, VoidCharge) and command.transaction_id in self.provider.voided
        if is_void and self.betrays and command.transaction_id not in self.provider.charged:
            self.betrays = False
            self.later.append(lambda: self.betray(command))
        self.receive_notices()
        return answers

    def receive_notices(self) -> None:
        """Let the call-backs that there are arrive some time."""
        for system in (self.provider, self.carrier):
            self.later += [partial(self.publish, notice) for notice in system.notices]
            system.notices.clear()
        if any(who != "nobody" for who, _ in self.provider.unconfirmed.values()):
            self.later.append(self.confirm)

    def confirm(self) -> None:
        self.provider.confirm()
        self.receive_notices()

    def end_hold(self, order_id: str) -> None:
        if order_id in self.provider.held and order_id not in self.provider.charged:
            self.provider.end_hold(order_id)
            self.receive_notices()

    def betray(self, void: VoidCharge) -> None:
        self.publish(self.provider.charge_voided(void.transaction_id, void.amount_minor))

    def travel(self, order_id: str) -> None:
        if self.random.random() < 0.95:
            self.later.append(lambda: self.travel(order_id))
        elif self.carrier.status[order_id] == "in_transit":
            self.carrier.deliver(order_id)
            self.receive_notices()

    def judge(self, received: Any) -> None:
        """Judge a payment once, or never."""
        is_paid = isinstance(received, PaymentCompleted | PaymentAuthorized)
        if not is_paid or received.transaction_id in self.judged:
            return
        self.judged.add(received.transaction_id)
        verdict = self.random.choices([FraudCleared, FraudDetected, None], [8, 1, 1])[0]
        if verdict:
            about = {"transaction_id": received.transaction_id, "rules_version": "1"}
            self.publish(verdict(**about, score=0.5, reasons=()))

    # --- what happens next ---

    def run(self) -> None:
        for _ in range(STEPS_MAX):
            self.now_ms += int(self.random.random() * 60)
            if self.random.random() < 0.005:
                self.now_ms += self.random.randint(1_000, 100_000)
            moves = [self.deliver] * bool(self.unread) + [self.happen] * bool(self.later)
            if self.next_due() <= self.now_ms:
                moves.append(self.ring)
            if moves:
                self.random.choice(moves)()
            elif self.next_due() < NEVER_MS:
                self.now_ms = self.next_due()
            else:
                return
        raise AssertionError("Payflow never comes to rest")

    def happen(self) -> None:
        self.later.pop(self.random.randrange(len(self.later)))()

    def deliver(self) -> None:
        stream = self.random.choice(self.unread)
        if stream[1] == self.slow and self.random.random() < 0.97:
            return
        messages = self.log[stream[1:]]
        at = self.read[stream]
        self.receive(stream, *messages[at])
        self.read[stream] = at + 1
        if at + 1 == len(messages):
            self.unread.remove(stream)
        if self.random.random() < 0.05:
            self.receive(stream, *self.random.choice(messages[: at + 1]))

    def receive(self, stream: tuple[str, str, str], message: Message, at_ms: int) -> None:
        name, topic, key = stream
        if entity := self.entities.get((name, topic)):
            entity(message)
        else:
            self.apply(name, key, message, at_ms)

    def apply(self, name: str, key: str, message: Message, at_ms: int) -> None:
        agent, row = AGENTS[name], self.state(name, key)
        row, emitted = decision.apply(agent, row, message, at_ms)
        self.rows[name, key] = row
        due = due_of(agent)
        due_ms = due(row) if due else None
        self.due_ms[name, key] = NEVER_MS if due_ms is None else due_ms
        if name == "stock":
            assert_shelf_adds_up(row)
        for each in emitted:
            assert topic_of(each) in agent.produces
            self.publish(each)

    def next_due(self) -> int:
        return min(self.due_ms.values(), default=NEVER_MS)

    def ring(self) -> None:
        due = [(at_ms, *row) for row, at_ms in self.due_ms.items() if at_ms <= self.now_ms]
        at_ms, name, key = self.random.choice(due)
        assert (name, key, at_ms) not in self.rung, "an alarm that has rung is asked for again"
        self.rung.add((name, key, at_ms))
        self.apply(name, key, DeadlineReached(key=key, due_at_ms=at_ms), self.now_ms)

    # --- what people do ---

    def open(self) -> None:
        for sku in SKUS:
            units = self.random.randint(0, 20)
            if units:
                self.publish(ReceiveStock(receipt_id=f"r/{sku}", sku=sku, quantity=units))
            if self.random.random() < 0.3:
                delta = self.random.randint(-3, 3)
                self.later.append(
                    lambda sku=sku, delta=delta: self.publish(
                        AdjustStock(adjustment_id=f"a/{sku}", sku=sku, delta=delta)
                    )
                )
        for number in range(self.random.randint(1, 3)):
            self.later.append(lambda number=number: self.place(f"o{number}"))

    def place(self, order_id: str) -> None:
        lines = tuple(
            Line(sku=self.random.choice(SKUS), quantity=self.random.randint(1, 4), amount_minor=250)
            for _ in range(self.random.randint(0, 3))
        )
        placed = OrderPlaced(
            order_id=order_id,
            country="France",
            currency="GBP",
            lines=lines,
            charges=(Charge(code="POST", amount_minor=100),),
            total_minor=100 + 250 * len(lines),
            payment_method="pm_card_visa",
            ordered_at_ms=self.now_ms,
            capture="at_shipment" if self.captures_later else "automatic",
            partial_shipment=self.ships_in_part,
        )
        self.orders[order_id] = placed
        self.publish(placed)
        if self.random.random() < 0.3:
            self.later.append(lambda: self.publish(OrderCancelRequested(order_id=order_id)))
        if self.random.random() < 0.1:
            overdue = StepOverdue(order_id=order_id, step="inventory", due_at_ms=self.now_ms)
            self.later.append(lambda: self.publish(overdue))
        for number in range(self.random.choice([0, 1, 2]) if lines else 0):
            self.later.append(lambda number=number: self.send_back(placed, f"back{number}"))

    def send_back(self, placed: OrderPlaced, return_id: str) -> None:
        lines = self.random.sample(placed.lines, self.random.randint(1, len(placed.lines)))
        back = tuple(
            ReturnLine(sku=line.sku, quantity=self.random.randint(1, line.quantity))
            for line in lines
        )
        # As an earlier version asked: an amount of its own, and now and then nothing but money.
        amount = self.random.choice([0, 0, 0, 100])
        if amount and self.random.random() < 0.3:
            back = tuple(msgspec.structs.replace(line, goods=False) for line in back)
        self.publish(
            ReturnRequested(
                order_id=placed.order_id, return_id=return_id, lines=back, amount_minor=amount
            )
        )

    # --- what must be true at rest ---

    def of(self, message: type[Message], order_id: str) -> list:
        return [
            emitted
            for emitted in self.emitted
            if type(emitted) is message and topic_of(emitted).key(emitted) == order_id
        ]


def answers_of(call: Coroutine[Any, Any, tuple[Message, ...]]) -> tuple[Message, ...]:
    """Return the answers of a call that waits for nobody: an event loop would only cost time."""
    try:
        call.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("an external system of the simulation waits")


def assert_shelf_adds_up(shelf: Stock) -> None:
    assert shelf.received == shelf.on_hand + sum(shelf.held.values()) + shelf.shipped
    assert shelf.on_hand >= 0
