"""A workflow as a value: all that the platform knows of it.

Plain facts and pure functions. A new `workflows/<name>/workflow.py` is found by its name; nothing
outside `workflows/` names a workflow, its messages or its steps.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from workflows.shared.cases import CaseView, EvidenceItem
from workflows.shared.errors import DeclarationError
from workflows.shared.figures import LiveFigures
from workflows.shared.invariants import Invariants
from workflows.shared.journal import JournalEntry
from workflows.shared.message import Message
from workflows.shared.personal import Personal
from workflows.shared.topic import Topic


class PendingStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a transaction waits for. Times are ms."""

    what: str
    since_ms: int
    until_ms: int
    then: str
    """What happens when it does not come in time."""
    url: str = ""
    """Where a person can do it; empty: nobody can."""


class RetriedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call to an external system that is repeated. Times are ms, 0 where they are not known."""

    who: str
    what: str
    tries: int
    """How many tries had no answer in time."""
    reason: str
    since_ms: int
    next_ms: int
    """When the next try is due."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step for which a transaction waits."""

    name: str
    awaits: str
    """The event it waits for, in text for people."""
    otherwise: str = ""
    """What happens when it does not come in time."""


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that transactions reach."""

    name: str
    figure: str
    """The live figure that counts the transactions which reached it."""
    step: str
    """The step for which a transaction waits there."""
    awaits: str
    """What has to happen next, in text for people."""


def no_details(_state: object) -> dict[str, Any]:
    """Return nothing: a transaction shows the same in a list and by itself."""
    return {}


def no_evidence(_rows: object, _entries: object) -> tuple[EvidenceItem, ...]:
    """Return nothing: nobody disputes such a transaction."""
    return ()


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction takes of the quotas of its client and its customer."""

    customer_id: Personal[str] = ""
    """Empty: a guest, who has no quota."""
    is_unpaid: bool = False
    """It is open, and its money is neither taken nor held."""
    units: int = 0
    """Units of stock that it holds, or is about to."""


def holds_nothing(_state: object) -> Holding:
    """Return that a transaction counts in no quota."""
    return Holding()


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How transactions of one workflow are shown. `Any`: the state of a row of its table."""

    open_statuses: tuple[str, ...]
    """The statuses of a transaction that has not ended."""
    facts: Callable[[Any], Mapping[str, Any]]
    """Return the transaction for people and the API: plain values, times in ms."""
    shape: type | None = None
    """The shape of `facts` and `details`, a TypedDict; None: nobody has described it."""
    details: Callable[[Any], Mapping[str, Any]] = no_details
    """Return what only the page of one transaction shows besides: it may be long."""
    shown: Callable[[Any, int], dict[str, Any]]
    """Return `facts` with the real status at a time in ms."""
    headline: Callable[[Mapping[str, Any]], str]
    """Return the subject of the transaction from `facts`: such as its amount and its country."""
    began: tuple[str, str]
    """The name of its first event, and the field of `shown` that holds its time (ms)."""
    begun: Callable[[Any], bool]
    """Return whether it was started: other events may make a row too."""
    waits: Callable[[Any, int], tuple[tuple[str, str], ...]]
    """Return the steps for which it waits at a time in ms, each with its status; none once
    ended."""
    brief: Callable[[Any], Any]
    """Return the state without all that `waits` does not need: thousands may be open."""
    holding: Callable[[Any], Holding] = holds_nothing
    """Return what it takes of quotas; nothing once it has ended."""
    pending_steps: Callable[[Any], tuple[PendingStep, ...]]
    """Return the steps for which it waits, the soonest due first."""
    retried_calls: Callable[[Mapping[str, Any]], tuple[RetriedCall, ...]]
    """Return the repeated external calls, from its rows as plain values by table."""
    presets: dict[str, Callable[[Any], bool]]
    """Filters of the list of transactions besides a status, by name."""
    milestones: tuple[Milestone, ...]
    id_topics: tuple[Topic, ...]
    """Topics whose messages hold other ids of a transaction: of the provider, the carrier, ..."""
    cases: CaseView | None = None
    """None: operators have nothing to decide."""
    evidence: Callable[[Mapping[str, Any], Sequence[JournalEntry]], tuple[EvidenceItem, ...]] = (
        no_evidence
    )
    """Return what speaks for a disputed transaction, from its rows as plain values by table and
    its events; nothing where nobody disputes it."""
    person_table: str
    person_of: Callable[[Mapping[str, Any]], str]
    """Return the customer of a row of `person_table`, in plain values; empty: none."""


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, such as that of an order from its placing to its end."""

    name: str
    started_by: type[Message]
    key: str
    """The field of its messages that names the transaction."""
    table: str
    """The table that holds the state of each transaction as a whole."""
    ends: dict[str, type[Message]]
    """The messages that end it, by the status that they lead to."""
    outcome: Callable[[Any], str]
    """Return the outcome of one of `ends`; it is the label of a metric, so there are few."""
    steps: tuple[Step, ...]
    invariants: Invariants
    view: View
    figures: LiveFigures | None = None
    """Its live figures, which analytics counts; None: there are none."""


_NAME = re.compile(r"[a-z][a-z0-9_]*")
declared: dict[str, Workflow] = {}
"""Every declared workflow by name."""


def declare_workflow(workflow: Workflow) -> Workflow:
    """Return `workflow`, declared. Raises DeclarationError when its name is taken or unusable."""
    if workflow.name in declared:
        raise DeclarationError(f"workflow {workflow.name} is declared twice")
    if not _NAME.fullmatch(workflow.name):
        raise DeclarationError(
            f"workflow {workflow.name!r}: a name is of a-z, 0-9 and _, begins with a-z; "
            "it is part of metrics, rows and commands"
        )
    declared[workflow.name] = workflow
    return workflow


def ended_by(message: Message) -> Workflow | None:
    """Return the workflow that `message` ends; None when it ends none."""
    kind = type(message)
    return next((each for each in declared.values() if kind in each.ends.values()), None)
