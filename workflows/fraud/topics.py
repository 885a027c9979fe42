"""Topics of the subject fraud."""

from workflows.fraud.entity_messages import CheckMessage, CheckPayment, EntityAnswered
from workflows.fraud.messages import (
    CaseMessage,
    FraudDetected,
    FraudMessage,
    PaymentLabelled,
)
from workflows.fraud.rule_messages import ListPut, RuleMessage, RulePut, RuleSnoozed
from workflows.shared.topic import by, declare


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


fraud = declare(
    "fraud",
    FraudMessage,
    key=by("transaction_id"),
    writer="fraud",
    retention_ms=-1,
    traced=True,
    kinds={"failure": (FraudDetected,)},
)
fraud_checks = declare(
    "fraud.checks",
    CheckMessage,
    key=by_entity,
    writer="fraud",
    traced=True,
)
fraud_answers = declare("fraud.answers", EntityAnswered, key=by("transaction_id"), writer="fraud")
fraud_labels = declare(
    "fraud.labels", PaymentLabelled, key=by("transaction_id"), writer="console", retention_ms=-1
)
fraud_cases = declare(
    "fraud.cases", CaseMessage, key=by("transaction_id"), writer="fraud", retention_ms=-1
)
fraud_rules = declare(
    "fraud.rules",
    RuleMessage,
    key=by_rule,
    writer="console",
    retention_ms=-1,  # not compacted: a repeated old record would outlive the latest one
    partitions=1,
)
