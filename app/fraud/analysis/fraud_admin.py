"""Where people work on fraud: what was told so far, and words of their own.

Reads topics up to their ends, joins no group. What it tells is sealed like anything of the house;
the same act has the same event id, so that it may be told again.
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
from app.wire import codecs, envelope, topics
from app.wire.envelope import Envelope
from app.wire.records import Outgoing, as_read
from app.wire.signing import of_the_house, sealed
from app.wire.topics import Topic
from workflows.audit import messages as audit
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.condition import RuleError
from workflows.fraud.messages import CaseClosed, CaseOpened, PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import Book
from workflows.shared.message import Message, type_name

READ_MS = 300
ACTS: dict[type[Message], type[Message]] = {
    RulePut: audit.RuleChanged,
    ListPut: audit.ListChanged,
    RuleSnoozed: audit.RuleSnoozedByOperator,
    PaymentLabelled: audit.PaymentLabelledByOperator,
}
"""What people say here, and what the audit is told of it."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, why, and when (ms); `before`: the rules as they stood."""

    who: str
    why: str = ""
    at_ms: int
    before: Book = BUILT_IN


async def words_of(config: Config, wanted: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
    """Return every word of the house on `wanted`, topic by topic, in the order of each partition.

    What cannot be read, or is not of the house, is left out.
    """
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **client_options(config))
    await consumer.start()
    try:
        found: list[tuple[Envelope, Any]] = []
        for topic in wanted:
            count = topics.partitions_of(topic.name, config)
            places = [TopicPartition(topic.name, at) for at in range(count)]
            ends = await consumer.end_offsets(places)
            begins = await consumer.beginning_offsets(places)
            for place in places:
                consumer.assign([place])
                consumer.seek(place, begins[place])
                while await consumer.position(place) < ends[place]:
                    for given in (await consumer.getmany(place, timeout_ms=READ_MS)).get(place, []):
                        found += _read(given, config)
        return found
    finally:
        await stop_consumer(consumer)


def _read(given: Any, config: Config) -> list[tuple[Envelope, Any]]:
    read = as_read(given)
    if not of_the_house(read, config):
        return []
    try:
        head = envelope.from_headers(read.headers)
        return [(head, codecs.decode(read.value, head, read.key))]
    except (codecs.Poison, envelope.BadEnvelope):
        return []


async def tell(config: Config, words: Sequence[Message], at_ms: int) -> None:
    """Tell `words` as the console, at `at_ms`. Raises KafkaError."""
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **client_options(config))
    await producer.start()
    try:
        records = [sealed(outgoing(word, at_ms), config.seal_key) for word in words]
        await produce(producer, records, config)
    finally:
        await producer.stop()


def as_act(word: Message, act: Act) -> list[Message]:
    """Return what is told when somebody says `word`: the act, for the audit, and the word itself.

    Raises ValidationError when one of them keeps no limit of the wire.
    """
    word = msgspec.convert(msgspec.to_builtins(word), type(word))
    told = event_id(outgoing(word, act.at_ms))
    said = {"who": act.who, "why": act.why, "event_id": told} | _changed(word, act.before)
    return [msgspec.convert(said, ACTS[type(word)]), word]


def _changed(word: Message, before: Book) -> dict[str, Any]:
    """Return what `word` is about, and what it changes of the rules `before`."""
    match word:
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
            raise AssertionError(f"{type(word).__name__} is no act of an operator")


def outgoing(word: Message, at_ms: int) -> Outgoing:
    """Return `word` as a record of the console, not yet sealed: the same word, the same id."""
    topic, kind = topics.topic_of(word), type_name(type(word))
    key = topic.key(word)
    head = Envelope(
        id=envelope.derive_id(kind, key, at_ms, codecs.encode(word).hex()),
        type=kind,
        source="/payflow/console",
        time_ms=at_ms,
        subject=key,
        correlation_id=key[:128],
    )
    return Outgoing(
        topic=topic.name,
        key=key.encode(),
        value=codecs.encode(word),
        headers=envelope.to_headers(head),
    )


async def book_now(config: Config) -> Book:
    """Return the rules, lists and snoozes as they stand."""
    book = BUILT_IN
    for _, word in await words_of(config, [topics.fraud_rules]):
        try:
            book = changed(book, word)
        except RuleError:
            continue  # The room has refused it as well, and counted it.
    return book


async def open_cases(config: Config) -> list[CaseOpened]:
    """Return the cases that wait for somebody, the highest score first."""
    waiting: dict[str, CaseOpened] = {}
    for _, word in await words_of(config, [topics.fraud_cases]):
        match word:
            case CaseOpened():
                waiting[word.order_id] = word
            case CaseClosed():
                waiting.pop(word.order_id, None)
            case _:
                continue
    return sorted(waiting.values(), key=lambda case: (-case.score, case.opened_at_ms))
