"""Messages about who may act: operators, and clients of the API."""

from typing import Annotated, Literal

from msgspec import Meta

from workflows.shared.limits import Name, NameIfAny, Text
from workflows.shared.message import Message

About = Annotated[str, Meta(min_length=1, max_length=140)]
"""A name with its kind before it."""


class OperatorChanged(Message, tag="payflow.audit.operator_changed.v1", frozen=True, kw_only=True):
    """An operator was added, removed, or got another token. `about`: their name."""

    about: About
    who: Name
    why: Text
    change: Literal["added", "removed", "token_renewed"]
    role: NameIfAny = ""


class ClientChanged(Message, tag="payflow.audit.client_changed.v1", frozen=True, kw_only=True):
    """A client was added or revoked, or got another key. `about`: `client:` and its name."""

    about: About
    who: Name
    why: Text
    change: Literal["added", "rotated", "revoked"]
    scopes: tuple[Name, ...] = ()


AccessChange = OperatorChanged | ClientChanged
