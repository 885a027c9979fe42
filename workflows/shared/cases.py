"""What of a transaction waits for an operator: cases with their decisions, and the evidence."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One way to end a case."""

    name: str
    """The value of `decision` in the request."""
    title: str
    """The button, such as `Give the dispute up`."""
    effect: str
    """What then happens, in text for people."""
    takes: Literal["", "reference", "text"] = ""
    """The field that the request needs besides; empty: none."""
    label: str = ""
    """What is to be written into that field."""
    is_loss: bool = False
    """Whether it gives money up."""


class OpenCase(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a transaction that waits for the decision of an operator."""

    kind: str
    key: str = ""
    """Which one, where a transaction may have several of a kind."""
    amount_minor: int
    currency: str
    stage: str = ""
    """How far it has come, where a decision is for that alone, in text for people."""
    why: str
    since_ms: int
    """When it began; 0: not known."""
    until_ms: int = 0
    """The last moment for a decision; 0: there is none."""
    otherwise: str
    """What happens while nobody decides, or after `until_ms`, in text for people."""
    warning: str = ""
    """What one of the decisions risks for now, in text for people."""
    path: str
    """Of the request that ends it, under `/operators/orders/{id}`."""
    role: Literal["operator", "approver"] = "approver"
    """Who may end it, at least."""
    fields: dict[str, str] = {}
    """What that request has to say besides the decision."""
    decisions: tuple[Decision, ...]


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """The cases of one workflow's transactions. `Any`: the state of a row of `table`."""

    table: str
    open: Callable[[Any], tuple[OpenCase, ...]]


class EvidenceItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is known of a transaction and speaks for it."""

    subject: str
    """Such as `Shipment`: neighbours of one subject are shown together."""
    text: str
    at_ms: int = 0
    """When it happened; 0: not known."""
