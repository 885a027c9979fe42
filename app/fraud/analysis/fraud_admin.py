"""Where people work on fraud: what was emitted so far, and messages of their own.

Reads topics up to their ends, joins no group. What it produces is signed like anything of the
instance; the same act has the same event id, so that it may be emitted again.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.config import Config
from app.fraud.live.judge import changed
from app.kafka.admin import client_options, stop_consumer
from app.kafka.producer import produce
from app.operations.dead_letters.dead_letter import event_id
from app.wire import codecs
from app.wire.envelope import BadEnvelope, Envelope, derive_id, from_headers, to_headers
from app.wire.records import Outgoing, as_read
from app.wire.signing import is_signed, signed
from app.wire.topics import partitions_of
from workflows.audit import messages as audit
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.condition import RuleError
from workflows.fraud.messages import CaseClosed, CaseOpened, PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import Book
from workflows.shared.message import Message, type_name
from workflows.shared.topic import Topic, topic_of

READ_MS = 300
ACTIONS: dict[type[Message], type[Message]] = {
    RulePut: audit.RuleChanged,
    ListPut: audit.ListChanged,
    RuleSnoozed: audit.RuleSnoozedByOperator,
    PaymentLabelled: audit.PaymentLabelledByOperator,
}
"""What people say here, and what the audit is emitted of it."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, why, and when (ms); `before`: the rules as they stood."""

    who: str
    why: str = ""
    at_ms: int
    before: Book = BUILT_IN


async def messages_of(config: Config, wanted: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
    """Return every message of Payflow on `wanted`, by topic, in the order of each partition.

    What cannot be read, or is not of Payflow, is left out.
    """
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **client_options(config))
    await consumer.start()
    try:
        found: list[tuple[Envelope, Any]] = []
        for topic in wanted:
            count = partitions_of(topic.name, config)
            places = [TopicPartition(topic.name, at) for at in range(count)]
            ends = await consumer.end_offsets(places)
            begins = await consumer.beginning_offsets(places)
            for place in places:
                consumer.assign([place])
                consumer.seek(place, begins[place])
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getmany(place, timeout_ms=READ_MS)).get(
                        place, []
                    ):
                        found += _read(record, config)
        return found
    finally:
        await stop_consumer(consumer)


def _read(record: Any, config: Config) -> list[tuple[Envelope, Any]]:
    read = as_read(record)
    if not is_signed(read, config):
        return []
    try:
        envelope = from_headers(read.headers)
        return [(envelope, codecs.decode(read.value, envelope, read.key))]
    except (codecs.Poison, BadEnvelope):
        return []


async def publish(config: Config, messages: Sequence[Message], at_ms: int) -> None:
    """Produce `messages` as the console, at `at_ms`. Raises KafkaError."""
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **client_options(config))
    await producer.start()
    try:
        records = [signed(outgoing(message, at_ms), config.signing_key) for message in messages]
        await produce(producer, records, config)
    finally:
        await producer.stop()


def as_action(message: Message, action: Action) -> list[Message]:
    """Return the action for the audit, and `message` itself.

    Raises ValidationError when one of them keeps no limit of the wire.
    """
    message = msgspec.convert(msgspec.to_builtins(message), type(message))
    emitted = event_id(outgoing(message, action.at_ms))
    said = {"who": action.who, "why": action.why, "event_id": emitted} | _changed(
        message, action.before
    )
    return [msgspec.convert(said, ACTIONS[type(message)]), message]


def _changed(message: Message, before: Book) -> dict[str, Any]:
    """Return what `message` is about, and what it changes of the rules `before`."""
    match message:
        case RulePut(rule_id=rule_id, rule=rule):
            known = before.rules.get(rule_id)
            return {
                "about": f"rule:{rule_id}",
                "version_before": known.rule.version if known else 0,
                "state_before": known.rule.state if known else "",
                "version": rule.get("version", 1),
                "state": rule.get("state"),
                "rule": rule,
            }
        case ListPut(name=name, values=values):
            known_values = before.lists.get(name, frozenset())
            return {
                "about": f"list:{name}",
                "added": sorted(set(values) - known_values),
                "removed": sorted(known_values - set(values)),
            }
        case RuleSnoozed(rule_id=rule_id, entity=entity, until_ms=until_ms):
            return {"about": f"rule:{rule_id}", "entity": entity, "until_ms": until_ms}
        case PaymentLabelled(order_id=order_id, fraud=fraud, source=source):
            return {"about": order_id, "fraud": fraud, "source": source}
        case _:
            raise AssertionError(f"{type(message).__name__} is no act of an operator")


def outgoing(message: Message, at_ms: int) -> Outgoing:
    """Return `message` as an unsigned record of the console: the same message, the same id."""
    topic, kind = topic_of(message), type_name(type(message))
    key = topic.key(message)
    envelope = Envelope(
        id=derive_id(kind, key, at_ms, codecs.encode(message).hex()),
        type=kind,
        source="/payflow/console",
        time_ms=at_ms,
        subject=key,
        correlation_id=key[:128],
    )
    return Outgoing(
        topic=topic.name,
        key=key.encode(),
        value=codecs.encode(message),
        headers=to_headers(envelope),
    )


async def book_now(config: Config) -> Book:
    """Return the rules, lists and snoozes as they stand."""
    book = BUILT_IN
    for _, message in await messages_of(config, [fraud_topics.fraud_rules]):
        try:
            book = changed(book, message)
        except RuleError:
            continue  # The agent has refused it as well, and counted it.
    return book


async def open_cases(config: Config) -> list[CaseOpened]:
    """Return the cases that wait for somebody, the highest score first."""
    waiting: dict[str, CaseOpened] = {}
    for _, message in await messages_of(config, [fraud_topics.fraud_cases]):
        match message:
            case CaseOpened():
                waiting[message.order_id] = message
            case CaseClosed():
                waiting.pop(message.order_id, None)
            case _:
                continue
    return sorted(waiting.values(), key=lambda case: (-case.score, case.opened_at_ms))
