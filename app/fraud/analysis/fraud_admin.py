"""Changes of fraud rules by operators, with their audit; current rules and open cases."""

import msgspec

from app.config import Config
from app.fraud.analysis.cases import cases_of
from app.fraud.live.judge import changed, next_version
from app.kafka.messages import console_record, messages_of
from app.wire import codecs
from app.wire.records import event_id
from workflows.audit import messages as audit
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.condition import RuleError
from workflows.fraud.messages import CaseOpened, PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import RULE_BYTES_MAX, RULES_MAX, WANTS_MAX, Book
from workflows.shared.message import Message

ACTIONS: dict[type[Message], type[Message]] = {
    RulePut: audit.RuleChanged,
    ListPut: audit.ListChanged,
    RuleSnoozed: audit.RuleSnoozedByOperator,
    PaymentLabelled: audit.PaymentLabelledByOperator,
}
"""Messages of operators, and the audit record of each."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, why, and when (ms); `before`: the rules before the action."""

    who: str
    why: str = ""
    at_ms: int
    before: Book = BUILT_IN


def as_action(message: Message, action: Action) -> list[Message]:
    """Return the action for the audit, and `message` itself.

    Raises ValidationError when one of them exceeds a limit of the wire.
    """
    message = msgspec.convert(msgspec.to_builtins(message), type(message))
    if isinstance(message, RulePut):
        _check_limits(message, action.before)
    emitted = event_id(console_record(message, action.at_ms))
    fields = {"who": action.who, "why": action.why, "event_id": emitted} | _changed(
        message, action.before
    )
    return [msgspec.convert(fields, ACTIONS[type(message)]), message]


def with_version(message: ListPut | RuleSnoozed, book: Book) -> ListPut | RuleSnoozed:
    """Return `message` as the one after that of the same list, or snooze, in `book`."""
    version = next_version(book, fraud_topics.by_rule(message))
    return msgspec.structs.replace(message, version=version)


def _check_limits(message: RulePut, before: Book) -> None:
    """Raise ValidationError where verdicts by the rules after `message` might get too long.

    A book that is beyond a limit already may shrink.
    """
    size = len(codecs.encode(message))
    if size > RULE_BYTES_MAX:
        raise msgspec.ValidationError(f"the rule has {size:,} bytes, at most {RULE_BYTES_MAX:,}")
    after = changed(before, message)
    if len(after.rules) > max(RULES_MAX, len(before.rules)):
        raise msgspec.ValidationError(f"there are {RULES_MAX} rules already, as many as may be")
    if len(after.wants) > max(WANTS_MAX, len(before.wants)):
        raise msgspec.ValidationError(
            f"all rules together would read {len(after.wants):,} figures, at most {WANTS_MAX:,}"
        )


def _changed(message: Message, before: Book) -> dict[str, object]:
    """Return the subject of `message`, and its changes to the rules `before`."""
    match message:
        case RulePut(rule_id=rule_id, rule=rule):
            rule_before = before.rules.get(rule_id)
            return {
                "about": f"rule:{rule_id}",
                "version_before": rule_before.rule.version if rule_before else 0,
                "state_before": rule_before.rule.state if rule_before else "",
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
        case PaymentLabelled(transaction_id=order_id, fraud=fraud, source=source):
            return {"about": order_id, "fraud": fraud, "source": source}
        case _:
            raise AssertionError(f"{type(message).__name__} is not an act of an operator")


async def book_now(config: Config) -> Book:
    """Return the current rules, lists and snoozes."""
    book = BUILT_IN
    for envelope, message in await messages_of(config, [fraud_topics.fraud_rules]):
        try:
            book = changed(book, message, envelope.time_ms)
        except RuleError:
            continue  # The agent has refused and counted it too.
    return book


async def open_cases(config: Config) -> list[CaseOpened]:
    """Return the open cases, the highest score first."""
    cases = cases_of(await messages_of(config, [fraud_topics.fraud_cases]))
    waiting = [case.registered for case in cases if case.closed is None]
    return sorted(waiting, key=lambda case: (-case.score, case.opened_at_ms))
