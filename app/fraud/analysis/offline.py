"""The rooms of the fraud service without Kafka: for back-tests, and to judge what is on file.

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
        self.orders: dict[str, fraud.Checked] = {}
        self.parties: dict[str, risk.Entity] = {}

    def hear(self, word: Message, at_ms: int) -> list[Message]:
        """Return everything that is told because of `word`, in order."""
        told: list[Message] = []
        waiting: deque[Message] = deque([word])
        while waiting:
            answers = self._answer(waiting.popleft(), at_ms)
            told += answers
            waiting += answers
        return told

    def _answer(self, word: Any, at_ms: int) -> tuple[Message, ...]:
        if isinstance(word, CheckEntity | NoteDecline | LabelEntity):
            party = self.parties.get(word.entity, risk.INITIAL)
            told = risk.decide(party, word, at_ms)
            self.parties[word.entity] = risk.evolve(party, word, at_ms)
            return told
        order = self.orders.get(word.order_id, fraud.INITIAL)
        told = fraud.decide(order, word, at_ms, self.judge)
        for each in (word, *told):
            order = fraud.evolve(order, each, at_ms)
        self.orders[word.order_id] = order
        return told
