"""The agents of the fraud service without Kafka, for back-tests and evaluation.

The same functions as in the agents, one event at a time, rows in memory.
"""

from collections import deque

from app.delivery import decision
from app.delivery.agent import Decider
from app.registry import load_agents
from workflows.fraud import process as fraud
from workflows.fraud import risk
from workflows.fraud.entity_messages import CheckEntity, LabelEntity, NoteDecline
from workflows.fraud.verdict import Judge
from workflows.shared.message import Message
from workflows.shared.topic import topic_of


class Offline:
    """Judges payments in memory, by one judge."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._agents = {
            name: agent for name, agent in load_agents().items() if isinstance(agent, Decider)
        }
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

    def _answer(self, message: Message, at_ms: int) -> tuple[Message, ...]:
        if isinstance(message, CheckEntity | NoteDecline | LabelEntity):
            entity = self.entities.get(message.entity, risk.INITIAL)
            self.entities[message.entity], emitted = decision.apply(
                self._agents["risk"], entity, message, at_ms
            )
            return emitted
        key = topic_of(message).key(message)
        check = self.orders.get(key, fraud.INITIAL)
        self.orders[key], emitted = decision.apply(
            self._agents["fraud"], check, message, at_ms, self.judge
        )
        return emitted
