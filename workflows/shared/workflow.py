"""A workflow as a value: what the platform has to know of it, and reads nowhere else.

Plain facts and pure functions. A new `workflows/<name>/workflow.py` is found by its name; nothing
outside `workflows/` names a workflow, its messages or its steps.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from workflows.shared.errors import DeclarationError
from workflows.shared.figures import LiveFigures
from workflows.shared.invariants import Invariants
from workflows.shared.message import Message
from workflows.shared.topic import Topic


class PendingStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a transaction waits for. Times are ms."""

    what: str
    since_ms: int
    until_ms: int
    then: str
    """What happens when it does not come in time."""


class RetriedCall(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody outside who is asked again and again. Times are ms, 0 where they are not known."""

    who: str
    what: str
    tries: int
    """How often an answer was waited for in vain."""
    reason: str
    since_ms: int
    next_ms: int
    """When they are asked again."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step for which a transaction waits."""

    name: str
    awaits: str
    """What has to come, in words for people."""
    otherwise: str = ""
    """What happens when it does not come in time."""


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction can have come to."""

    name: str
    figure: str
    """Of the live figures: how many came that far."""
    step: str
    """The step for which it waits there."""
    awaits: str
    """What has to come next, in words for people."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How transactions of one workflow are shown. `Any`: the state of a row of its table."""

    open_statuses: tuple[str, ...]
    """The statuses of a transaction that has not ended."""
    facts: Callable[[Any], dict[str, Any]]
    """Return what people and the API read of one: plain values, moments in ms."""
    shown: Callable[[Any, int], dict[str, Any]]
    """Return `facts` with the real status at a time in ms."""
    headline: Callable[[Mapping[str, Any]], str]
    """Return what one is about, of `facts`: such as an amount and where it comes from."""
    began: tuple[str, str]
    """What its beginning is called, and which of `shown` says when it was (ms)."""
    begun: Callable[[Any], bool]
    """Return whether it was started: a row may also be made by what asks for nothing."""
    waits: Callable[[Any, int], tuple[tuple[str, str], ...]]
    """Return of which steps it waits at a time in ms, and how; nothing of one that has ended."""
    brief: Callable[[Any], Any]
    """Return the state without all that `waits` does not need: thousands may be open."""
    pending_steps: Callable[[Any], tuple[PendingStep, ...]]
    """Return all that is waited for, the soonest due first."""
    retried_calls: Callable[[Mapping[str, Any]], tuple[RetriedCall, ...]]
    """Return who is asked again, by the states of its rows, plain values by table."""
    presets: dict[str, Callable[[Any], bool]]
    """What is asked for besides a status, by name."""
    milestones: tuple[Milestone, ...]
    named_in: tuple[Topic, ...]
    """Topics whose messages name a transaction by other ids: of the provider, the carrier, ..."""
    person_table: str
    person_of: Callable[[Mapping[str, Any]], str]
    """Return the customer of a row of `person_table`, in plain values; empty: nobody's."""


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, such as that of an order from its placing to its end."""

    name: str
    started_by: type[Message]
    key: str
    """The field of its messages that names the transaction."""
    table: str
    """The table that remembers its transactions as a whole."""
    ends: dict[str, type[Message]]
    """The messages that end it, by the status that they lead to."""
    outcome: Callable[[Any], str]
    """Return the outcome that one of `ends` says: one of few."""
    steps: tuple[Step, ...]
    invariants: Invariants
    view: View
    figures: LiveFigures | None = None
    """What analytics counts of it; None: nothing."""


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
    """Return the workflow of which `message` is an end; None when it is none."""
    kind = type(message)
    return next((each for each in declared.values() if kind in each.ends.values()), None)
