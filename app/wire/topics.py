"""Every topic: its messages, its key, its one writer, its retention.

Plain values; Kafka is elsewhere.

A message belongs to exactly one topic, so saying a message says where it goes.
"""

from collections.abc import Callable
from operator import attrgetter
from types import UnionType
from typing import Any, Literal, get_args

import msgspec

from app.config import Config
from workflows.analytics.messages import FiguresUpdated
from workflows.audit.checkpoint import AuditCheckpointed
from workflows.audit.messages import AuditMessage
from workflows.fraud.entity_messages import CheckMessage, CheckPayment, EntityAnswered
from workflows.fraud.messages import CaseMessage, FraudMessage, PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RuleMessage, RulePut, RuleSnoozed
from workflows.inventory.messages import InventoryMessage
from workflows.inventory.stock_messages import (
    StockAnswer,
    StockCommand,
    StockFact,
    WarehouseMessage,
)
from workflows.ledger.messages import EntryPosted
from workflows.notification.messages import NotificationMessage, SendMessage
from workflows.order.messages import OrderMessage
from workflows.order.saga_messages import SagaMessage
from workflows.payment.messages import PaymentMessage
from workflows.payment.provider_messages import ProviderAnswer, ProviderCommand, ProviderNotified
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message, type_name
from workflows.shipping.carrier_messages import CarrierAnswer, CarrierCommand, CarrierNotified
from workflows.shipping.messages import ShipmentMessage

DAY_MS = 86_400_000
WORKERS = "workers"
"""Where every worker says that it lives: one partition, no messages."""

Key = Callable[[Any], str]
by_order: Key = attrgetter("order_id")
by_sku: Key = attrgetter("sku")


def by_entity(message: CheckMessage) -> str:
    """Return the entity that is asked about."""
    return message.customer if isinstance(message, CheckPayment) else message.entity


def by_rule(message: RuleMessage) -> str:
    """Return what the latest message replaces: a rule, a list, or a snooze."""
    match message:
        case RulePut(rule_id=rule_id):
            return f"rule:{rule_id}"
        case ListPut(name=name):
            return f"list:{name}"
        case RuleSnoozed(rule_id=rule_id, entity=entity):
            return f"snooze:{rule_id}:{entity}"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One Kafka topic, declared before it is used and never created by accident."""

    name: str
    messages: tuple[type[Message], ...]
    key: Key
    writer: str
    """The one service that produces it."""
    retention_ms: int = 7 * DAY_MS
    """How long records stay; -1 keeps them for ever."""
    cleanup: Literal["delete", "compact"] = "delete"
    open: bool = False
    """Whether others than Payflow may tell events here, unsealed."""
    partitions: int | None = None
    """None: as many as every topic that meets in a row (`PAYFLOW_PARTITIONS`). Who wants to know
    how many there are asks `partitions_of`."""


def declare(  # noqa: PLR0913  a topic has these facts and no defaults that matter
    name: str,
    messages: Any,
    *,
    key: Key,
    writer: str,
    retention_ms: int = 7 * DAY_MS,
    cleanup: Literal["delete", "compact"] = "delete",
    open: bool = False,  # noqa: A002  what it is
    partitions: int | None = None,
) -> Topic:
    """Return the topic `name` carrying `messages` (one message or a union of them).

    Raises ValueError when a message already belongs to another topic.
    """
    members = get_args(messages) if isinstance(messages, UnionType) else (messages,)
    topic = Topic(
        name=name,
        messages=members,
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


def timers_of(agent: str) -> str:
    """Return the topic on which `agent` consumes its own deadlines."""
    return f"{agent}.timers"


def partitions_of(name: str, config: Config) -> int:
    """Return how many partitions the topic `name` has, whatever its kind: nobody else knows.

    Retry and redrive topics, timers and changelogs have as many as the rows they meet.
    """
    if name in declared:
        return declared[name].partitions or config.partitions
    return 1 if name == WORKERS or name.endswith(".dead") else config.partitions


def _enter(topic: Topic) -> None:
    for message in topic.messages:
        other = _by_type.setdefault(type_name(message), topic)
        if other.name != topic.name:
            raise ValueError(f"{type_name(message)} belongs to both {other.name} and {topic.name}")
        _message_by_type[type_name(message)] = message


declared: dict[str, Topic] = {}
"""Every declared topic by name."""
_by_type: dict[str, Topic] = {}
_message_by_type: dict[str, type[Message]] = {}

TIMERS = Topic(
    name="<room>.timers", messages=(DeadlineReached,), key=attrgetter("key"), writer="<room>"
)
"""Every agent with deadlines has a topic of this form, named by `timers_of`."""
_enter(TIMERS)


def topic_of(message: Message) -> Topic:
    """Return the topic that carries `message`."""
    return carrier_of(type(message))


def carrier_of(message: type[Message]) -> Topic:
    """Return the topic that carries messages of the type `message`."""
    return _by_type[type_name(message)]


def message_type_of(name: str) -> type[Message] | None:
    """Return the message of the wire name `name`, or None when nobody declared it."""
    return _message_by_type.get(name)


orders = declare("orders", OrderMessage, key=by_order, writer="console", retention_ms=-1, open=True)
sagas = declare("sagas", SagaMessage, key=by_order, writer="order", retention_ms=-1)
payments = declare("payments", PaymentMessage, key=by_order, writer="payment", retention_ms=-1)
provider_commands = declare("provider.commands", ProviderCommand, key=by_order, writer="payment")
provider_answers = declare("provider.answers", ProviderAnswer, key=by_order, writer="payment")
provider_webhooks = declare("provider.webhooks", ProviderNotified, key=by_order, writer="console")
inventory = declare(
    "inventory", InventoryMessage, key=by_order, writer="inventory", retention_ms=-1
)
warehouse = declare(
    "warehouse", WarehouseMessage, key=by_sku, writer="console", retention_ms=-1, open=True
)
stock = declare("stock", StockFact, key=by_sku, writer="inventory", retention_ms=-1)
stock_commands = declare("stock.commands", StockCommand, key=by_sku, writer="inventory")
stock_answers = declare("stock.answers", StockAnswer, key=by_order, writer="inventory")
fraud = declare("fraud", FraudMessage, key=by_order, writer="fraud", retention_ms=-1)
fraud_checks = declare("fraud.checks", CheckMessage, key=by_entity, writer="fraud")
fraud_answers = declare("fraud.answers", EntityAnswered, key=by_order, writer="fraud")
fraud_labels = declare(
    "fraud.labels", PaymentLabelled, key=by_order, writer="console", retention_ms=-1
)
fraud_cases = declare("fraud.cases", CaseMessage, key=by_order, writer="fraud", retention_ms=-1)
fraud_rules = declare(
    "fraud.rules",
    RuleMessage,
    key=by_rule,
    writer="console",
    cleanup="compact",
    retention_ms=-1,
    partitions=1,
)
shipments = declare("shipments", ShipmentMessage, key=by_order, writer="shipping", retention_ms=-1)
carrier_commands = declare("carrier.commands", CarrierCommand, key=by_order, writer="shipping")
carrier_answers = declare("carrier.answers", CarrierAnswer, key=by_order, writer="shipping")
carrier_webhooks = declare("carrier.webhooks", CarrierNotified, key=by_order, writer="console")
notifications = declare("notifications", NotificationMessage, key=by_order, writer="notification")
notification_commands = declare(
    "notification.commands", SendMessage, key=by_order, writer="notification"
)
ledger = declare("ledger", EntryPosted, key=by_order, writer="ledger", retention_ms=-1)
audit = declare("audit", AuditMessage, key=attrgetter("about"), writer="console", retention_ms=-1)
audit_chain = declare(
    "audit.chain",
    AuditCheckpointed,
    key=lambda emitted: str(emitted.partition),
    writer="console",
    retention_ms=-1,
)
figures = declare(
    "figures",
    FiguresUpdated,
    key=lambda emitted: f"{emitted.minute_ms}|{emitted.country}|{emitted.partition}",
    writer="analytics",
    cleanup="compact",
    retention_ms=-1,
)
