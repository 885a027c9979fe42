"""What must always hold of a workflow, for `payflow verify`. Pure.

Facts are projected from events and rows, then judged at a moment. Payflow keeps running meanwhile,
so an event that is younger than `motion_ms`, or not yet consumed by every service, counts as in
motion.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from workflows.shared.topic import Topic

OFFENDING_MAX = 50
"""Ids named by one check; its detail has the full count."""
MOTION_MS = 2_000
"""How long after its latest event a transaction counts as in motion, for clocks and external
systems."""
WEBHOOK_QUIETS_MAX = 2
"""The list of events is read after this many times `webhook_quiet_seconds`, whatever comes."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: whether it holds, how many things were checked, and the ids that break it."""

    name: str
    ok: bool
    checked: int
    offending: tuple[str, ...] = ()
    detail: str = ""


@dataclass(kw_only=True, slots=True)
class ProviderRecord:
    """What the payment provider's own file says of one transaction. Money in minor units."""

    charges: int = 0
    charged_minor: int = 0
    refunded_minor: int = 0
    held_minor: int = 0
    """What it holds on the card and has neither taken nor voided."""
    disputed_minor: int = 0
    """What banks have taken from us for disputes and not returned, without fees."""
    last_ms: int = 0
    unasked_ms: int = 0
    """When it last did what nobody had asked for, of which Payflow learns by a webhook."""
    currency: str = ""
    """Of the amounts; empty when it is not known."""
    mixed: bool = False
    """Whether there are amounts of another currency too, which are not in the sums."""

    def counts(self, currency: str) -> bool:
        """Return whether amounts of `currency` belong to the sums; the first one does."""
        self.currency = self.currency or currency
        self.mixed = self.mixed or currency != self.currency
        return currency == self.currency


class CarrierRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the carrier's own file says of one transaction."""

    status: str
    last_ms: int = 0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When facts are judged, and what else is known then."""

    now_ms: int
    motion_ms: int = MOTION_MS
    notice_ms: int = 0
    """How long a webhook may take, a lost one included, until the list of events is read."""
    pending: set[str] = set()
    """Keys with an event that some service has not consumed yet."""
    provider: Mapping[str, ProviderRecord] | None = None
    """The provider's own records by transaction; None when they cannot be seen."""
    carrier: Mapping[str, CarrierRecord] | None = None
    """The carrier's own records by transaction; None when they cannot be seen."""

    def fresh(self, at_ms: int) -> bool:
        """Return whether an event of `at_ms` may not have reached every service yet."""
        return self.now_ms - at_ms < self.motion_ms


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the facts of one workflow come to."""

    checks: tuple[Check, ...]
    figures: dict[str, Any]
    """By the name that each has in the verdict."""
    started: int
    """How many transactions have begun."""
    unsettled: int
    """How many transactions, or parts of them, have an event outstanding."""
    open_ids: tuple[str, ...] = ()
    """Transactions that have not ended, up to OFFENDING_MAX."""
    summary: str
    rows: str
    """Which rows were read, in text."""


class Invariants(msgspec.Struct, frozen=True, kw_only=True):
    """What one workflow contributes to `payflow verify`."""

    topics: tuple[Topic, ...]
    """The topics whose events become facts; the others carry questions, answers and copies."""
    services: frozenset[str]
    """The services whose work is checked: events that they have not consumed yet are allowed
    for."""
    facts: Callable[[], Any]
    """Make empty facts."""
    project: Callable[[Any, Any, int], None]
    """Add a message, emitted at a time in ms, to facts. Each comes once, in any order."""
    rows: dict[str, Callable[[Any, str, Any], None]]
    """By table: add the state of a row, by its key, to facts; None: the row was deleted."""
    judge: Callable[[Any, Moment], Findings]
    balances: tuple[str, ...]
    """The figures that must be zero."""
    trial_balance: str = ""
    """The figure with the balance of each account by currency; empty: it keeps no ledger."""
    made_of: tuple[str, ...]
    """The figures of which the balances are made, for people."""


def as_check(name: str, count: int, offending: Iterable[str], detail: str = "") -> Check:
    """Return the check of `count` things: it holds when none is `offending`."""
    wrong = list(offending)
    if len(wrong) > OFFENDING_MAX:
        detail = f"{len(wrong)} offending, {OFFENDING_MAX} are named. {detail}".strip()
    return Check(
        name=name,
        ok=not wrong,
        checked=count,
        offending=tuple(wrong[:OFFENDING_MAX]),
        detail=detail,
    )


def percentile(ascending: list[int], percent: int) -> int:
    """Return the nearest-rank percentile of `ascending`: a value that did occur; 0 of none."""
    if not ascending:
        return 0
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)]
