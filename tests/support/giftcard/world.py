"""Top-ups through the real agents, over dicts: the console emits, and all that follows is run."""

from collections import deque
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.delivery.agent import Agent
from app.delivery.processor import run_batch
from app.delivery.row import decode_row
from app.registry import load_agents
from app.wire import codecs
from app.wire.envelope import Envelope, from_headers, to_headers
from app.wire.records import Record
from app.worker import metrics
from tests.support.console import FakeWorker
from tests.support.runtime import FakeRuntime, as_read
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.payment import provider_messages as provider
from workflows.payment.messages import PaymentCompleted
from workflows.shared.message import Message
from workflows.shared.topic import topic_of

TOP_UP = {
    "card_id": "card-1",
    "customer_id": "ann",
    "country": "France",
    "currency": "GBP",
    "amount_minor": 2_500,
    "payment_method": "pm_card_visa",
}
FRAUD_MINOR = 6_660
"""The amount in which fraud is detected."""
BLOCKED = {**TOP_UP, "card_id": "blocked-1"}
AGENTS = ("giftcard", "payment", "order", "inventory", "analytics", "journal")
"""Those of the workflow, those that it shares, and those of another."""


def answer_of(asked: Message) -> Message | None:
    """Return what a provider that always does right answers, and the verdict on a payment."""
    match asked:
        case provider.ChargeCard():
            return provider.ChargeSucceeded(
                transaction_id=asked.transaction_id,
                payment_id="pi_1",
                amount_minor=asked.amount_minor,
            )
        case provider.RefundCharge():
            return provider.RefundSucceeded(
                transaction_id=asked.transaction_id,
                refund_key=asked.refund_key,
                refund_id="re_1",
                amount_minor=asked.amount_minor,
            )
        case PaymentCompleted(transaction_id=transaction_id, amount_minor=amount_minor):
            facts: dict[str, Any] = {"transaction_id": transaction_id, "rules_version": "r1"}
            if amount_minor == FRAUD_MINOR:
                return FraudDetected(**facts, score=1.0, reasons=("a test",))
            return FraudCleared(**facts, score=0.0)
        case _:
            return None


class World:
    """The agents over dicts, each with a runtime of its own; every record that was emitted."""

    def __init__(self, queries: FakeWorker) -> None:
        self.records: list[Record] = []
        self._queries = queries
        self._agents = {name: load_agents()[name] for name in AGENTS}
        self._runtimes = {name: FakeRuntime() for name in AGENTS}

    @property
    def messages(self) -> list[tuple[Message, Envelope]]:
        """Return what was emitted, decoded."""
        found = []
        for record in self.records:
            envelope = from_headers(record.headers)
            found.append((codecs.decode(record.value, envelope, record.key), envelope))
        return found

    @property
    def longest_row(self) -> int:
        """Return the bytes of the longest row there is."""
        rows = (body for each in self._runtimes.values() for body in each.rows.values())
        return max(map(len, rows), default=0)

    async def run(self) -> None:
        """Let every agent receive what the console has emitted, and all that follows from it."""
        waiting = deque(
            self._record(message, envelope) for message, envelope in self._queries.emitted
        )
        while waiting:
            record = replace(waiting.popleft(), offset=len(self.records))
            self.records.append(record)
            for name, agent in self._agents.items():
                if record.topic in {topic.name for topic in agent.consumes}:
                    waiting += await self._received(name, agent, record)
            envelope = from_headers(record.headers)
            answer = answer_of(codecs.decode(record.value, envelope, record.key))
            if answer is not None:
                more = {"id": f"{envelope.id}-answer", "causation_id": envelope.id}
                waiting.append(self._record(answer, replace(envelope, **more)))
        self._keep()

    async def _received(self, name: str, agent: Agent, record: Record) -> list[Record]:
        runtime = self._runtimes[name]
        runtime.emitted, runtime.now = [], from_headers(record.headers).time_ms + 1
        handled = await run_batch(agent, runtime, [record])
        metrics.count_batch(agent, [record], handled, 0.1)
        runtime.done[f"{record.topic}/{record.partition}"] = record.offset + 1
        return [
            as_read(emitted, 0)
            for emitted in runtime.emitted
            if not emitted.topic.endswith(".timers")
        ]

    def _record(self, message: Message, envelope: Envelope) -> Record:
        topic = topic_of(message)
        kind = str(message.__struct_config__.tag)
        changed_envelope = replace(envelope, type=kind, subject=topic.key(message))
        return Record(
            topic=topic.name,
            partition=0,
            offset=0,
            key=topic.key(message).encode(),
            value=msgspec.json.encode(message),
            headers=tuple(to_headers(changed_envelope)),
        )

    def _keep(self) -> None:
        for name, agent in self._agents.items():
            for (table, _, key), body in self._runtimes[name].rows.items():
                assert agent.table is not None, f"{name} has rows"
                self._queries.keep(table, key.decode(), decode_row(agent.table, body).state)


async def top_up(client: TestClient, body: Any = TOP_UP, key: str = "g1") -> str:
    """Return the id of a top-up that the console has accepted."""
    answer = await client.post("/giftcards", json=body, headers={"Idempotency-Key": key})
    assert 202 == answer.status, await answer.text()
    return str((await answer.json())["top_up_id"])
