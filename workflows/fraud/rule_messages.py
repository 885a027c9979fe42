"""Rules, lists and snoozes, on `fraud.rules`, kept for ever: the latest version counts."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from workflows.fraud.entity_messages import EntityKey
from workflows.shared.limits import Milliseconds, Name, NameIfAny
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople, Personal

Version = Annotated[int, Meta(ge=0, le=1_000_000)]


class RulePut(Message, tag="payflow.fraud.rule_put.v1", frozen=True, kw_only=True):
    """A rule as it is from now on: the whole of it, as JSON."""

    rule_id: Name
    rule: NamesPeople[dict[str, Any]]


class ListPut(Message, tag="payflow.fraud.list_put.v1", frozen=True, kw_only=True):
    """A whole list of names that rules read."""

    name: Name
    values: NamesPeople[tuple[Annotated[str, Meta(max_length=140)], ...]]
    by: NameIfAny = ""
    version: Version = 0
    """One more than that of the list in its place; 0: it was written before lists had versions."""


class RuleSnoozed(Message, tag="payflow.fraud.rule_snoozed.v1", frozen=True, kw_only=True):
    """A rule is snoozed for one entity until `until_ms`."""

    rule_id: Name
    entity: Personal[EntityKey]
    until_ms: Milliseconds
    by: NameIfAny = ""
    version: Version = 0
    """As that of a list."""


RuleMessage = RulePut | ListPut | RuleSnoozed


class Snooze(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """`rule_id` says nothing about `entity` (`kind:id`) while it is before `until_ms`."""

    rule_id: str
    entity: Personal[str]
    until_ms: int


class Stamp(msgspec.Struct, frozen=True, kw_only=True, order=True, array_like=True):
    """Which of two messages of one key is the later one."""

    version: int = 0
    at_ms: int = 0
    """When it was produced, by its signature: it decides between messages without a version."""
