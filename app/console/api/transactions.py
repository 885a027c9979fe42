"""Transactions for people: all that is known of one, now and at any of its events.

Which there are, and by which ids they are found, is in `app.console.api.transaction_search`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from app.console.api.context import CONTEXT, unavailable
from app.console.api.orders import REPEATS
from app.console.api.problems import Problem, json_response, path_name, whole
from app.delivery.row import decode_row
from app.kafka.admin import KafkaError, TopicError
from app.kafka.producer import partition_of
from app.kafka.reader import InspectionError
from app.operations.search.masked_record import masked
from app.operations.search.row_history import history
from app.wire.topics import changelog_topic
from tables import Table, declared
from workflows.order.pending_steps import RetriedCall, pending_steps, status_of, tried
from workflows.order.process import view
from workflows.order.state import Order
from workflows.payment.process import Payment
from workflows.shared.journal import JournalEntry
from workflows.shared.timeline import Bar, timeline
from workflows.shared.topic import message_type_of, topic_of_type
from workflows.shipping.state import Shipment

EVENTS_MAX = 1_000
ELSEWHERE = frozenset({"analytics", "journal", "risk", "stock"})
"""Tables whose rows are not one order's."""


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one order; what is personal is masked."""

    order_id: str
    order: dict[str, Any] | None
    """How it stands and what it waits for; None while the order agent has not known it."""
    retried_calls: tuple[RetriedCall, ...]
    bars: list[Bar]
    partial: bool
    """Whether some of the journal does not answer."""
    rows: dict[str, Any]
    """What each service remembers, by table; a text says why that is not known."""
    at: int
    """The number of the event at which the rows are looked at; 0: now."""
    moment_ms: int

    @property
    def open(self) -> bool:
        """Return whether something is still to come."""
        if self.order is None or self.order["status"] not in ("completed", "cancelled"):
            return True
        return bool(self.order["pending_steps"] or self.retried_calls)


async def show(request: web.Request) -> web.Response:
    """Return one transaction: how it stands, what is next, its events, every service's row."""
    found = await transaction(request, path_name(request, "order_id"))
    events = [
        {
            **msgspec.to_builtins(bar.entry),
            "number": number,
            "topic": topic_name_of(bar.entry.type),
            "service": bar.service,
            "kind": bar.kind,
            "attempt": bar.attempt,
            "cause": None if bar.cause is None else bar.cause + 1,
            "waited_ms": bar.waited_ms if bar.split else None,
            "worked_ms": bar.worked_ms if bar.split else None,
        }
        for number, bar in enumerate(found.bars, start=1)
    ]
    facts = {
        name: getattr(found, name) for name in ("order", "retried_calls", "partial", "rows", "at")
    }
    named = {"order_id": found.order_id, "correlation_id": found.order_id}
    return json_response({**named, **facts, "events": events})


async def transaction(request: web.Request, order_id: str) -> Transaction:
    """Return one transaction. Raises Problem: 404 for one nobody knows, 400 for no such `at`.

    `?at=`: the rows as they were when the event of that number was emitted.
    """
    state, (bars, partial) = await asyncio.gather(
        state_of(request, order_id), bars_of(request, order_id)
    )
    if state is None and not bars and not request.app[REPEATS].get(order_id):
        detail = f"nobody knows an order {order_id!r}"
        raise Problem(404, "Not Found", detail, field="order_id")
    at = whole(request, "at", 0, 0, len(bars))
    moment_ms = bars[at - 1].entry.time_ms if at else 0
    now = await rows_of(request, order_id)
    rows = await rows_at(request, order_id, moment_ms) if at else now
    order = None
    if state is not None:
        order = {
            **shown(state, request.app[CONTEXT].now_ms()),
            "pending_steps": pending_steps(state),
        }
    return Transaction(
        order_id=order_id,
        order=order,
        retried_calls=_tried(now),
        bars=bars,
        partial=partial,
        rows={name: masked(row) for name, row in rows.items()},
        at=at,
        moment_ms=moment_ms,
    )


def shown(state: Order, now_ms: int) -> dict[str, Any]:
    """Return an order as people read it, with where it really stands."""
    return {
        **view(state),
        "status": status_of(state, now_ms),
        "placed_at_ms": state.placed_at_ms,
    }


async def state_of(request: web.Request, order_id: str) -> Order | None:
    """Return what the order agent remembers; None when it has not known the order."""
    row = await request.app[CONTEXT].row("order", order_id)
    state = None if row is None else msgspec.convert(row["state"], Order)
    # A return that was asked for nothing makes a row too.
    return state if state is not None and state.order_id else None


async def bars_of(request: web.Request, order_id: str) -> tuple[list[Bar], bool]:
    """Return the events of an order as bars, their bodies masked, and whether some are missing."""
    rows, partial = await request.app[CONTEXT].rows("journal", f"{order_id}|", EVENTS_MAX)
    entries = [msgspec.convert(row["state"], JournalEntry) for row in rows]
    safe = [
        msgspec.structs.replace(entry, body=masked(entry.body))
        for entry in entries
        if entry.correlation_id == order_id
    ]
    return timeline(safe), partial


def topic_name_of(event_type: str) -> str:
    """Return the topic of events of this type; empty for one that nobody has declared."""
    message = message_type_of(event_type)
    return "" if message is None else topic_of_type(message).name


# --- rows ---------------------------------------------------------------------


async def rows_of(request: web.Request, order_id: str) -> dict[str, Any]:
    """Return the row of every service that has one of this order, in clear, by table."""
    names = sorted(set(declared) - ELSEWHERE)
    rows = await asyncio.gather(
        *(request.app[CONTEXT].row(name, order_id) for name in names), return_exceptions=True
    )
    found: dict[str, Any] = {}
    for name, row in zip(names, rows, strict=True):
        if isinstance(row, Problem):
            found[name] = str(row)
        elif isinstance(row, BaseException):
            raise row
        elif row is not None:
            found[name] = row["state"]
    return found


def _tried(rows: Mapping[str, Any]) -> tuple[RetriedCall, ...]:
    payment, shipment = rows.get("payment"), rows.get("shipping")
    return tried(
        msgspec.convert(payment, Payment) if isinstance(payment, dict) else Payment(),
        msgspec.convert(shipment, Shipment) if isinstance(shipment, dict) else Shipment(),
    )


async def rows_at(request: web.Request, order_id: str, at_ms: int) -> dict[str, Any]:
    """Return what each service's row of this order was at `at_ms`, by its changelog, by table."""
    config = request.app[CONTEXT].config
    key = order_id.encode()
    names = sorted(set(declared) - ELSEWHERE)
    partition = partition_of(key, config.partitions)
    try:
        pasts = await asyncio.gather(
            *(history(config, changelog_topic(declared[name]), partition, key) for name in names)
        )
    except (InspectionError, KafkaError, TopicError) as error:
        raise unavailable(f"Kafka does not answer: {error}") from error
    found: dict[str, Any] = {}
    for name, past in zip(names, pasts, strict=True):
        before = [each for each in past.versions if each.at_ms <= at_ms]
        if before:
            found[name] = _remembered(declared[name], before[-1].body)
        elif past.why != "end":
            found[name] = "not known: its changelog is too long to be read now"
        elif past.versions:
            found[name] = "not there yet, or what it was then has been compacted away since"
    return found


def _remembered(table: Table, body: bytes | None) -> Any:
    if body is None:
        return "deleted"
    try:
        return msgspec.to_builtins(decode_row(table, body).state)
    except msgspec.DecodeError:
        return "it cannot be read: its form has changed since"
