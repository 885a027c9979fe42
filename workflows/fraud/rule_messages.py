"""Rules, lists and snoozes, on `fraud.rules`, compacted: the latest message counts."""

from typing import Annotated, Any

from msgspec import Meta

from workflows.fraud.entity_messages import EntityKey
from workflows.shared.limits import Milliseconds, Name, NameIfAny
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople


class RulePut(Message, tag="payflow.fraud.rule_put.v1", frozen=True, kw_only=True):
    """A rule as it is from now on: the whole of it, as JSON."""

    rule_id: Name
    rule: dict[str, Any]


class ListPut(Message, tag="payflow.fraud.list_put.v1", frozen=True, kw_only=True):
    """A whole list of names that rules read."""

    name: Name
    values: NamesPeople[tuple[Annotated[str, Meta(max_length=140)], ...]]
    by: NameIfAny = ""


class RuleSnoozed(Message, tag="payflow.fraud.rule_snoozed.v1", frozen=True, kw_only=True):
    """A rule is snoozed for one entity until `until_ms`."""

    rule_id: Name
    entity: EntityKey
    until_ms: Milliseconds
    by: NameIfAny = ""


RuleMessage = RulePut | ListPut | RuleSnoozed
