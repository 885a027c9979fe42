"""The agents of the fraud service without Kafka: for back-tests, and to judge what is on file.

The same functions as in the agents, one event at a time, rows in memory.
"""

from collections import deque
from typing import Any

from workflows.fraud import process as fraud
from workflows.fraud import risk
from workflows.fraud.entity_messages import CheckEntity, LabelEntity, NoteDecline
from workflows.fraud.verdict import Judge
from workflows.shared.message import Message


class Offline:
    """The judgment of payments in memory, by one judge."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.orders: dict[str, fraud.PaymentCheck] = {}
        self.entities: dict[str, risk.Entity] = {}

    def receive(self, message: Message, at_ms: int) -> list[Message]:
        """Return everything that is emitted because of `message`, in order."""
        emitted: list[Message] = []
        waiting: deque[Message] = deque([message])
        while waiting:
            answers = self._answer(waiting.popleft(), at_ms)
            emitted += answers
            waiting += answers
        return emitted

    def _answer(self, message: Any, at_ms: int) -> tuple[Message, ...]:
        if isinstance(message, CheckEntity | NoteDecline | LabelEntity):
            entity = self.entities.get(message.entity, risk.INITIAL)
            emitted = risk.decide(entity, message, at_ms)
            self.entities[message.entity] = risk.evolve(entity, message, at_ms)
            return emitted
        order = self.orders.get(message.order_id, fraud.INITIAL)
        emitted = fraud.decide(order, message, at_ms, self.judge)
        for each in (message, *emitted):
            order = fraud.evolve(order, each, at_ms)
        self.orders[message.order_id] = order
        return emitted
