"""Every topic: its words, its key, its one writer, its retention. Plain values; Kafka is elsewhere.

A word belongs to exactly one topic, so saying a word says where it goes.
"""

from collections.abc import Callable
from operator import attrgetter
from types import UnionType
from typing import Any, Literal, get_args

import msgspec

from app.config import Config
from workflows.analytics.messages import FiguresUpdated
from workflows.audit.messages import AuditSealed, AuditWord
from workflows.fraud.entity_messages import CheckPayment, CheckWord, EntityAnswered
from workflows.fraud.messages import CaseWord, FraudWord, PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed, RuleWord
from workflows.inventory.messages import InventoryWord
from workflows.inventory.stock_messages import StockAnswer, StockCommand, StockFact, WarehouseWord
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import NotificationWord, SendMessage
from workflows.order.messages import OrderWord
from workflows.order.saga_messages import SagaWord
from workflows.payment.messages import PaymentWord
from workflows.payment.provider_messages import ProviderAnswer, ProviderCommand, ProviderNotified
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message, type_name
from workflows.shipping.carrier_messages import CarrierAnswer, CarrierCommand, CarrierNotified
from workflows.shipping.messages import ShipmentWord

DAY_MS = 86_400_000
WORKERS = "workers"
"""Where every worker says that it lives: one partition, no words."""

Key = Callable[[Any], str]
by_order: Key = attrgetter("order_id")
by_sku: Key = attrgetter("sku")


def by_entity(word: CheckWord) -> str:
    """Return the party that is asked about."""
    return word.customer if isinstance(word, CheckPayment) else word.entity


def by_rule(word: RuleWord) -> str:
    """Return what the latest word replaces: a rule, a list, or a snooze."""
    match word:
        case RulePut(rule_id=rule_id):
            return f"rule:{rule_id}"
        case ListPut(name=name):
            return f"list:{name}"
        case RuleSnoozed(rule_id=rule_id, entity=entity):
            return f"snooze:{rule_id}:{entity}"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One Kafka topic, declared before it is used and never created by accident."""

    name: str
    words: tuple[type[Message], ...]
    key: Key
    writer: str
    """The one service that tells it."""
    retention_ms: int = 7 * DAY_MS
    """How long records stay; -1 keeps them for ever."""
    cleanup: Literal["delete", "compact"] = "delete"
    open: bool = False
    """Whether others than the house may tell events here, unsealed."""
    partitions: int | None = None
    """None: as many as every topic that meets in a row (`PAYFLOW_PARTITIONS`). Who wants to know
    how many there are asks `partitions_of`."""


def declare(  # noqa: PLR0913  a topic has these facts and no defaults that matter
    name: str,
    words: Any,
    *,
    key: Key,
    writer: str,
    retention_ms: int = 7 * DAY_MS,
    cleanup: Literal["delete", "compact"] = "delete",
    open: bool = False,  # noqa: A002  what it is
    partitions: int | None = None,
) -> Topic:
    """Return the topic `name` carrying `words` (one word or a union of them).

    Raises ValueError when a word already belongs to another topic.
    """
    members = get_args(words) if isinstance(words, UnionType) else (words,)
    topic = Topic(
        name=name,
        words=members,
        key=key,
        writer=writer,
        retention_ms=retention_ms,
        cleanup=cleanup,
        open=open,
        partitions=partitions,
    )
    _enter(topic)
    declared[name] = topic
    return topic


def timers_of(room: str) -> str:
    """Return the topic on which `room` hears its own deadlines."""
    return f"{room}.timers"


def partitions_of(name: str, config: Config) -> int:
    """Return how many partitions the topic `name` has, whatever its kind: nobody else knows.

    Retry and redrive topics, timers and changelogs have as many as the rows they meet.
    """
    if name in declared:
        return declared[name].partitions or config.partitions
    return 1 if name == WORKERS or name.endswith(".dead") else config.partitions


def _enter(topic: Topic) -> None:
    for word in topic.words:
        other = _by_type.setdefault(type_name(word), topic)
        if other.name != topic.name:
            raise ValueError(f"{type_name(word)} belongs to both {other.name} and {topic.name}")
        _word_by_type[type_name(word)] = word


declared: dict[str, Topic] = {}
"""Every declared topic by name."""
_by_type: dict[str, Topic] = {}
_word_by_type: dict[str, type[Message]] = {}

TIMERS = Topic(
    name="<room>.timers", words=(DeadlineReached,), key=attrgetter("key"), writer="<room>"
)
"""Every room with deadlines has a topic of this form, named by `timers_of`."""
_enter(TIMERS)


def topic_of(word: Message) -> Topic:
    """Return the topic that carries `word`."""
    return carrier_of(type(word))


def carrier_of(word: type[Message]) -> Topic:
    """Return the topic that carries words of the type `word`."""
    return _by_type[type_name(word)]


def word_of(name: str) -> type[Message] | None:
    """Return the word of the wire name `name`, or None when nobody declared it."""
    return _word_by_type.get(name)


orders = declare("orders", OrderWord, key=by_order, writer="console", retention_ms=-1, open=True)
sagas = declare("sagas", SagaWord, key=by_order, writer="order", retention_ms=-1)
payments = declare("payments", PaymentWord, key=by_order, writer="payment", retention_ms=-1)
provider_commands = declare("provider.commands", ProviderCommand, key=by_order, writer="payment")
provider_answers = declare("provider.answers", ProviderAnswer, key=by_order, writer="payment")
provider_webhooks = declare("provider.webhooks", ProviderNotified, key=by_order, writer="console")
inventory = declare("inventory", InventoryWord, key=by_order, writer="inventory", retention_ms=-1)
warehouse = declare(
    "warehouse", WarehouseWord, key=by_sku, writer="console", retention_ms=-1, open=True
)
stock = declare("stock", StockFact, key=by_sku, writer="inventory", retention_ms=-1)
stock_commands = declare("stock.commands", StockCommand, key=by_sku, writer="inventory")
stock_answers = declare("stock.answers", StockAnswer, key=by_order, writer="inventory")
fraud = declare("fraud", FraudWord, key=by_order, writer="fraud", retention_ms=-1)
fraud_checks = declare("fraud.checks", CheckWord, key=by_entity, writer="fraud")
fraud_answers = declare("fraud.answers", EntityAnswered, key=by_order, writer="fraud")
fraud_labels = declare(
    "fraud.labels", PaymentLabelled, key=by_order, writer="console", retention_ms=-1
)
fraud_cases = declare("fraud.cases", CaseWord, key=by_order, writer="fraud", retention_ms=-1)
fraud_rules = declare(
    "fraud.rules",
    RuleWord,
    key=by_rule,
    writer="console",
    cleanup="compact",
    retention_ms=-1,
    partitions=1,
)
shipments = declare("shipments", ShipmentWord, key=by_order, writer="shipping", retention_ms=-1)
carrier_commands = declare("carrier.commands", CarrierCommand, key=by_order, writer="shipping")
carrier_answers = declare("carrier.answers", CarrierAnswer, key=by_order, writer="shipping")
carrier_webhooks = declare("carrier.webhooks", CarrierNotified, key=by_order, writer="console")
notifications = declare("notifications", NotificationWord, key=by_order, writer="notification")
notification_commands = declare(
    "notification.commands", SendMessage, key=by_order, writer="notification"
)
ledger = declare("ledger", EntryPosted, key=by_order, writer="ledger", retention_ms=-1)
audit = declare("audit", AuditWord, key=attrgetter("about"), writer="console", retention_ms=-1)
audit_chain = declare(
    "audit.chain",
    AuditSealed,
    key=lambda told: str(told.partition),
    writer="console",
    retention_ms=-1,
)
figures = declare(
    "figures",
    FiguresUpdated,
    key=lambda told: f"{told.minute_ms}|{told.country}|{told.partition}",
    writer="analytics",
    cleanup="compact",
    retention_ms=-1,
)
