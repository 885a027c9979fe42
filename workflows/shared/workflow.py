"""A workflow as a value: what the platform has to know of it, and reads nowhere else.

Plain facts and pure functions. A new `workflows/<name>/workflow.py` is found by its name; nothing
outside `workflows/` names a workflow, its messages or its steps.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from workflows.shared.message import Message


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


declared: dict[str, Workflow] = {}
"""Every declared workflow by name."""


def declare_workflow(workflow: Workflow) -> Workflow:
    """Return `workflow`, declared. Raises ValueError when its name is taken."""
    if workflow.name in declared:
        raise ValueError(f"workflow {workflow.name} is declared twice")
    declared[workflow.name] = workflow
    return workflow


def ended_by(message: Message) -> Workflow | None:
    """Return the workflow of which `message` is an end; None when it is none."""
    kind = type(message)
    return next((each for each in declared.values() if kind in each.ends.values()), None)
