"""The shapes of what requests about transactions are answered: of each workflow its own.

Their names and those of some fields are the workflow's, so they are made from its declaration.
"""

from collections.abc import Sequence
from typing import get_type_hints

import msgspec

from workflows.shared.journal import JournalEntry
from workflows.shared.workflow import Workflow

Links = dict[str, str]
"""Paths by name."""
Field = tuple[str, object] | tuple[str, object, object]
"""A name, a type, and a default where there is one."""


def accepted_shape(workflow: Workflow) -> type[msgspec.Struct]:
    """Return the shape of the answer to what was accepted."""
    ids = [(workflow.key, str), ("correlation_id", str)]
    return _shape(workflow, "Accepted", [*ids, ("links", Links)])


def status_shape(workflow: Workflow) -> type[msgspec.Struct]:
    """Return the shape of a transaction; one that was just accepted has no facts yet."""
    facts = get_type_hints(workflow.view.shape) if workflow.view.shape else {}
    required_fields = {workflow.key: str, "state": str, "links": Links}
    more = {"correlation_id": str, **facts}
    optional: list[Field] = [
        (name, kind | msgspec.UnsetType, msgspec.UNSET)
        for name, kind in more.items()
        if name not in required_fields
    ]
    return _shape(workflow, "Status", [*required_fields.items(), *optional])


def page_shape(workflow: Workflow, listed_as: str) -> type[msgspec.Struct]:
    """Return the shape of a page of transactions."""
    row_shape = workflow.view.shape or dict[str, object]
    following = [("next", str | None), ("partial", bool)]
    return _shape(workflow, "Page", [(listed_as, list[row_shape]), *following])


def events_shape(workflow: Workflow) -> type[msgspec.Struct]:
    """Return the shape of the events of a transaction."""
    ids = [(workflow.key, str), ("correlation_id", str)]
    events = [("events", list[JournalEntry]), ("partial", bool)]
    return _shape(workflow, "Events", [*ids, *events])


def _shape(workflow: Workflow, suffix: str, fields: Sequence[Field]) -> type:
    name = "".join(part.title() for part in workflow.name.split("_")) + suffix
    return msgspec.defstruct(name, fields, kw_only=True, module=__name__)  # type: ignore[arg-type]
