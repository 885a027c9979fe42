"""The declaration of what a drill asks: requests as values."""

from collections.abc import Callable, Mapping
from random import Random

import msgspec


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a drill."""

    path: str
    body: Mapping[str, object]
    idempotency_key: str = ""
    after_seconds: float = 0.0
    """How long after the request before it."""
    may_be_refused: bool = False


class LoadCase(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a drill: what starts it, and what is asked about it later."""

    start: LoadRequest
    then: tuple[LoadRequest, ...]
    """In their paths `{id}` stands for the id of the transaction."""


class DrillLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The load of a drill on a workflow; the same seed gives the same load."""

    prepare: Callable[[int], LoadRequest] | None = None
    """Return what has to be there first, of a seed; None: nothing."""
    case: Callable[[int, int, Random, bool], LoadCase]
    """Return a transaction from seed, number, random generator, and whether it wants the hot
    key."""
    cases: Mapping[str, Callable[[str, Random], LoadRequest]] = {}
    """By a check of `verify`: what an operator asks of a transaction that it names."""
