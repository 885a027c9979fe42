"""Computes a back-test or a trial over all payments so far, in a process of its own.

It reads one question as JSON from stdin and writes one answer as JSON to stdout. The caller may
kill it, since it changes nothing. It reads everything from the beginning, so its duration grows
with the topics.
"""

import asyncio
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from app.config import Config, current
from app.fraud.analysis.backtest import Backtest, backtest
from app.fraud.analysis.fraud_admin import book_now
from app.fraud.analysis.rescoring import judged_from, newest
from app.fraud.analysis.trial import Trial, tried
from app.fraud.live.judge import at_hand
from app.kafka.errors import KafkaError
from app.kafka.messages import messages_of
from app.wire.envelope import Envelope
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.condition import RuleError
from workflows.fraud.model import Model, ModelError
from workflows.fraud.rulebook import Book, read_rule
from workflows.payment import topics as payment_topics
from workflows.shared.message import Message
from workflows.shared.topic import Topic

ALLOCATED_BYTES_MAX = 2 << 30
"""Of memory: this process ends before the machine has none."""

EnvelopedMessages = Sequence[tuple[Envelope, Message]]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question about the payments judged from `from_ms` on; a `rule` to try, or nothing."""

    what: Literal["backtest", "trial"]
    rule: dict[str, object] = {}
    from_ms: int = 0


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """The hits of a rule in force. A share is None where its denominator is zero."""

    hits: int
    decided: int
    """Payments whose outcome this rule decided."""
    labelled: int
    frauds: int
    precision: float | None
    """The share of fraud among its labelled hits."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; `trouble` says why there is none."""

    backtest: Backtest | None = None
    trial: Trial | None = None
    hits: dict[str, Hits] = {}
    """By rule in force, with the trial."""
    trouble: str = ""


READS: dict[str, tuple[Topic, ...]] = {
    "backtest": (payment_topics.payments, fraud_topics.fraud_labels),
    "trial": (fraud_topics.fraud, fraud_topics.fraud_labels, payment_topics.payments),
}


def answered(
    question: Question, emitted: EnvelopedMessages, book: Book, models: Mapping[str, Model]
) -> Answer:
    """Return the answer from what was `emitted` on the topics of READS. Raises RuleError."""
    if question.what == "trial":
        trial = tried(emitted, models, question.from_ms)
        return Answer(trial=trial, hits=hits_of(emitted, question.from_ms))
    story = sorted(
        (
            (getattr(message, "ordered_at_ms", 0) or envelope.time_ms, message)
            for envelope, message in emitted
        ),
        key=lambda each: each[0],
    )
    rule = read_rule(question.rule, FIELDS)
    return Answer(backtest=backtest(rule, book, story, question.from_ms))


def hits_of(emitted: Iterable[tuple[Envelope, Message]], from_ms: int = 0) -> dict[str, Hits]:
    """Return the hits of each rule in force on the payments judged from `from_ms` on, by its id."""
    received = list(emitted)
    judged = judged_from(received, from_ms)
    fraud_by_order = newest(received)
    by_rule: dict[str, list[str]] = {}
    for order_id, basis in judged.items():
        for rule_id in basis.rules:
            by_rule.setdefault(rule_id, []).append(order_id)
    hits_by_rule: dict[str, Hits] = {}
    for rule_id, orders in sorted(by_rule.items()):
        labels = [fraud_by_order[order_id] for order_id in orders if order_id in fraud_by_order]
        hits_by_rule[rule_id] = Hits(
            hits=len(orders),
            decided=sum(judged[order_id].decided_by == rule_id for order_id in orders),
            labelled=len(labels),
            frauds=sum(labels),
            precision=sum(labels) / len(labels) if labels else None,
        )
    return hits_by_rule


async def query(config: Config, question: Question) -> Answer:
    """Return the answer about the instance of `config`."""
    try:
        book = await book_now(config) if question.what == "backtest" else Book()
        models = at_hand(config) if question.what == "trial" else {}
        return answered(question, await messages_of(config, READS[question.what]), book, models)
    except KafkaError as error:
        return Answer(trouble=f"Kafka does not answer: {error}")
    except (ModelError, RuleError) as error:
        return Answer(trouble=str(error))


def main() -> int:
    """Answer the question on stdin; return the exit code."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (ALLOCATED_BYTES_MAX, ALLOCATED_BYTES_MAX))
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    answer = asyncio.run(query(current(), question))
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
