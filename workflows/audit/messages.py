"""Messages about what operators did: every act is an event, with who and why."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from workflows.audit.access import AccessChange
from workflows.audit.adoption import InstanceAction
from workflows.audit.case_decisions import MoneyAction
from workflows.audit.dead_letter_actions import DeadLetterAction
from workflows.fraud.entity_messages import EntityKey
from workflows.shared.limits import Milliseconds, MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople, Personal

About = Annotated[str, Meta(min_length=1, max_length=140)]
"""A name with its kind before it."""
Listed = Annotated[str, Meta(max_length=140)]


class RuleChanged(Message, tag="payflow.audit.rule_changed.v1", frozen=True, kw_only=True):
    """A rule was proposed, approved or paused. `about`: `rule:` and its id.

    The whole of it is kept here: the topic of rules keeps the latest alone.
    """

    about: About
    who: Name
    why: Text
    event_id: Name
    """The version in the message that the agents receive."""
    version_before: int
    """0: there was none."""
    state_before: NameIfAny
    version: int
    state: Name
    rule: NamesPeople[dict[str, Any]]


class ListChanged(Message, tag="payflow.audit.list_changed.v1", frozen=True, kw_only=True):
    """A list that rules read was set. `about`: `list:` and its name."""

    about: About
    who: Name
    why: Text
    event_id: Name
    added: NamesPeople[tuple[Listed, ...]]
    removed: NamesPeople[tuple[Listed, ...]]


class RuleSnoozedByOperator(
    Message, tag="payflow.audit.rule_snoozed.v1", frozen=True, kw_only=True
):
    """A rule was snoozed for one entity. `about`: `rule:` and its id."""

    about: About
    who: Name
    why: Text
    event_id: Name
    entity: Personal[EntityKey]
    until_ms: Milliseconds


class PaymentLabelledByOperator(
    Message, tag="payflow.audit.payment_labelled.v1", frozen=True, kw_only=True
):
    """An operator labelled a payment as fraud or not. `about`: the order."""

    about: About
    who: Name
    why: Text
    event_id: Name
    fraud: bool
    source: Literal["chargeback", "analyst"]


class OrderCancelledByOperator(
    Message, tag="payflow.audit.order_cancelled.v1", frozen=True, kw_only=True
):
    """An operator asked for an order to be cancelled. `about`: the order."""

    about: About
    who: Name
    why: Text
    event_id: Name


class RefundProposed(Message, tag="payflow.audit.refund_proposed.v1", frozen=True, kw_only=True):
    """A refund above the limit waits for the approval of another operator. `about`: the order."""

    about: About
    who: Name
    why: Text
    refund_id: Name
    amount_minor: MinorDue


class RefundGivenByOperator(
    Message, tag="payflow.audit.refund_given.v1", frozen=True, kw_only=True
):
    """An operator refunded money of an order. `about`: the order."""

    about: About
    who: Name
    why: Text
    event_id: Name
    refund_id: Name
    amount_minor: MinorDue
    proposed_by: NameIfAny = ""
    """Who proposed it, where two people were needed."""


class PersonalRevealed(
    Message, tag="payflow.audit.personal_revealed.v1", frozen=True, kw_only=True
):
    """An operator asked to see personal data in clear. `about`: the order, or a dead letter."""

    about: About
    who: Name
    why: Text
    fields: tuple[Name, ...]


class ActionUnconfirmed(Message, tag="payflow.audit.unconfirmed.v1", frozen=True, kw_only=True):
    """What an action asked for was not acknowledged: it may not have been carried out."""

    about: About
    who: Name
    action_id: Name
    """The id of the event that says who acted, and why."""
    failure: Name
    """The kind of error that stopped it."""


class ActionRefused(Message, tag="payflow.audit.refused.v1", frozen=True, kw_only=True):
    """An action had no effect: whoever decides about it refused it, and said why."""

    about: About
    who: Name
    action_id: Name
    """The id of the event that says who acted, and why."""
    reason: Text


FraudAction = RuleChanged | ListChanged | RuleSnoozedByOperator | PaymentLabelledByOperator
OrderAction = (
    OrderCancelledByOperator
    | RefundProposed
    | RefundGivenByOperator
    | MoneyAction
    | PersonalRevealed
)
AuditMessage = (
    DeadLetterAction
    | FraudAction
    | OrderAction
    | AccessChange
    | InstanceAction
    | ActionUnconfirmed
    | ActionRefused
)
