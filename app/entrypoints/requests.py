"""The declarations of an entrypoint: requests as values, which the console serves."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from app import entrypoints
from app.config import Config
from app.entrypoints.case_requests import CaptureCases, DisputeCases, RefundCases
from app.entrypoints.drill_load import DrillLoad
from app.entrypoints.emission import Emission
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.message import Message
from workflows.shared.topic import Topic
from workflows.shared.workflow import Holding, holds_nothing

Body = TypeVar("Body")
Shape = TypeVar("Shape")
RowState = Any
"""The state of a row, of whichever table."""


class BadRequest(PayflowError, ValueError):
    """An invalid request; `field` names the wrong part of its body."""

    kind: ClassVar[ErrorKind] = "invalid"

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


def nothing_against(_state: object, _body: object) -> str:
    """Return no reason."""
    return ""


def nothing_more(_body: object) -> Mapping[str, str]:
    """Return no scope."""
    return {}


def nothing_said(_body: object, _now_ms: int) -> None:
    """Return None: the caller says no time."""


class StartingRequest(msgspec.Struct, Generic[Body], frozen=True, kw_only=True):
    """The request that starts a transaction, repeated safely under an `Idempotency-Key`."""

    summary: str
    body: type[Body]
    message: Callable[[str, Body, int], Message]
    """Return the starting message of a transaction id and a body, and when it began (ms).

    Raises BadRequest."""
    said_ms: Callable[[Body, int], int | None] = nothing_said
    """Return when it began by the caller's word (ms), of a body and the time now: only of callers
    who may backdate. Raises BadRequest."""
    further_scopes: tuple[str, ...] = ()
    """Scopes that some bodies take besides."""
    takes: Callable[[Body], Mapping[str, str]] = nothing_more
    """Return which of these a body takes, and the field for which."""
    baggage: Callable[[Body], dict[str, str]]
    """Return the baggage of the transaction, from its starting message."""
    event: str
    """The name from which the id of the event is derived."""
    holding: Callable[[Body], Holding] = holds_nothing
    """Return what the transaction takes of quotas, until its row says so."""


class FollowingRequest(msgspec.Struct, Generic[Body], frozen=True, kw_only=True):
    """A request about a transaction that has been started."""

    path: str
    """Appended to the path of the transaction."""
    summary: str
    body: type[Body]
    optional: bool = False
    """Whether the body may be missing: all of its fields have defaults."""
    message: Callable[[str, Body], Message]
    """Return the message of a transaction id and a body. Raises BadRequest."""
    event_id: Callable[[str, Body], str]
    scope: str = ""
    """That a client needs; empty: the one with which it starts transactions."""
    objection: Callable[[RowState, Body], str] = nothing_against
    """Return why the state of the transaction forbids it, or nothing: the caller learns it at once.

    The agent decides for itself, by its own state."""
    link: str = ""
    """Its name in the answer to an accepted transaction; empty: it is left out."""


class OperatorMessages(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that operators may produce about a transaction."""

    cancel: Callable[[str, str], Emission]
    """Of a transaction id and why."""
    refund: Callable[[str, str, int, str, int | None], Emission]
    """Of a transaction id, the id of the refund, an amount in minor units, why, and the most that
    may go back of it by the word of one person; None: two have agreed."""
    left_minor: Callable[[RowState], int]
    """Return what of the payment has not gone back, of the state of a transaction."""
    currency: Callable[[RowState], str]
    """Return the currency of the payment, of the state of a transaction."""
    refunds_minor: Callable[[RowState], Mapping[str, int]]
    """Return what goes back already, by the id of the refund, of the state of a transaction."""
    refund_cases: RefundCases | None = None
    """None: it refunds nothing."""
    capture_cases: CaptureCases | None = None
    """None: it takes no money later than it is asked for."""
    dispute_cases: DisputeCases | None = None
    """None: nobody disputes its payments."""


class Entrypoint(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP requests of a workflow."""

    workflow: str
    path: str
    """Of all transactions, such as `/orders`."""
    listed_as: str
    """Their name in the answer that lists them."""
    start: StartingRequest[Any]
    follow: tuple[FollowingRequest[Any], ...]
    operators: OperatorMessages | None = None
    """None: operators have no actions."""

    @property
    def write_scope(self) -> str:
        """Return the scope of clients that start transactions."""
        return f"{self.listed_as}:write"

    @property
    def read_scope(self) -> str:
        """Return the scope of clients that read their transactions."""
        return f"{self.listed_as}:read"

    @property
    def backdate_scope(self) -> str:
        """Return the scope of clients whose word counts on when a transaction began."""
        return f"{self.listed_as}:backdate"


OwnId = Callable[[str, str], str]
"""Return the id of what a caller calls so, of a kind and its name: only that caller has it."""


class CommandRequest(msgspec.Struct, Generic[Body], frozen=True, kw_only=True):
    """A request that belongs to no transaction."""

    path: str
    scope: str
    """That a client needs."""
    summary: str
    body: type[Body]
    emissions: Callable[[Body, OwnId], Sequence[Emission]]
    answer: Callable[[Body, Sequence[Emission]], Mapping[str, object]]
    shape: type
    """Of the answer."""


def names_itself(_event: dict[str, object]) -> str | None:
    """Return None: the event says whose it is."""
    return None


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A signed webhook of an external system."""

    path: str
    summary: str
    header: str
    """Of the signature."""
    secret: Callable[[Config], str]
    emission: Callable[[dict[str, object], Config], Emission | None]
    """Return the message of its body; None for what nobody needs, and for what is not ours.

    Raises BadRequest."""
    topic: Topic
    """Of that message."""
    intent_of: Callable[[dict[str, object]], str | None] = names_itself
    """Return the intent at the provider whose metadata says whose the event is, or nothing where
    it names none; None: the event says so itself. Raises BadRequest."""
    is_listed: bool = False
    """Whether the provider's list of events has what was not delivered."""


def converted(shape: type[Shape], **fields: object) -> Shape:
    """Return `fields`, which came from outside, as a `shape`. Raises BadRequest."""
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$.")
        raise BadRequest(detail, path.rstrip("`")) from error


class Entrypoints(msgspec.Struct, frozen=True, kw_only=True):
    """All declarations of this folder."""

    workflows: tuple[Entrypoint, ...]
    commands: tuple[CommandRequest[Any], ...]
    webhooks: tuple[WebhookRequest, ...]
    loads: tuple[DrillLoad, ...]


@cache
def load_entrypoints() -> Entrypoints:
    """Return all ENTRYPOINT, COMMANDS, WEBHOOKS and LOAD of the modules in this folder."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.iter_modules(entrypoints.__path__, "app.entrypoints.")
    ]
    return Entrypoints(
        workflows=tuple(each.ENTRYPOINT for each in modules if hasattr(each, "ENTRYPOINT")),
        commands=tuple(one for each in modules for one in getattr(each, "COMMANDS", ())),
        webhooks=tuple(one for each in modules for one in getattr(each, "WEBHOOKS", ())),
        loads=tuple(each.LOAD for each in modules if hasattr(each, "LOAD")),
    )


def entrypoint_of(workflow: str) -> Entrypoint | None:
    """Return the entrypoint of the workflow `workflow`; None when no request starts it."""
    return next((each for each in load_entrypoints().workflows if each.workflow == workflow), None)


@cache
def client_scopes() -> tuple[str, ...]:
    """Return every scope that a client may have."""
    declared = load_entrypoints()
    return tuple(
        sorted(
            {
                *operator_scopes(),
                *(each.backdate_scope for each in declared.workflows),
                *(scope for each in declared.workflows for scope in each.start.further_scopes),
            }
        )
    )


@cache
def operator_scopes() -> frozenset[str]:
    """Return the scopes of operators: those that no body takes besides."""
    declared = load_entrypoints()
    return frozenset(
        {
            *(each.scope for each in declared.commands),
            *(each.write_scope for each in declared.workflows),
            *(each.read_scope for each in declared.workflows),
            *(one.scope for each in declared.workflows for one in each.follow if one.scope),
        }
    )
