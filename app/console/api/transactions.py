"""One transaction for people: its events and rows, now and at any of its events.

`app.console.api.transaction_search` finds transactions.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

import msgspec
from aiohttp import web

from app.console.api.context import CONTEXT, asking_kafka
from app.console.api.problems import JsonResponse, Problem, json_response
from app.console.api.workflow_requests import REPEATS
from app.delivery.row import decode_row
from app.host.parameters import path_name, whole
from app.kafka.producer import partition_of
from app.operations.search.row_history import history
from app.registry import load_workflows
from app.wire.personal import masked, masked_entry
from app.wire.topics import changelog_topic
from tables import Table, declared
from workflows.shared.cases import EvidenceItem, OpenCase
from workflows.shared.journal import JournalEntry
from workflows.shared.message import type_name
from workflows.shared.timeline import Bar, EventKind, timeline
from workflows.shared.topic import message_type_of, topic_of_type
from workflows.shared.workflow import RetriedCall, Workflow


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction with its events and rows; personal data is masked."""

    workflow: Workflow
    id: str
    facts: dict[str, Any] | None
    """Its status and what it waits for; None while the agent of its workflow has no row."""
    retried_calls: tuple[RetriedCall, ...]
    cases: tuple[OpenCase, ...]
    """What waits for the decision of an operator."""
    evidence: tuple[EvidenceItem, ...]
    bars: list[Bar]
    partial: bool
    """Whether some partitions of the journal did not answer."""
    rows: dict[str, object]
    """The row of each service, by table; a text says why one is missing."""
    at: int
    """The number of the event at which the rows are read; 0: now."""
    moment_ms: int

    @property
    def open(self) -> bool:
        """Return whether the transaction has not ended."""
        if self.facts is None or self.facts["status"] not in self.workflow.ends:
            return True
        return bool(self.facts["pending_steps"] or self.retried_calls)


class ShownEvent(JournalEntry, frozen=True, kw_only=True):
    """One event of the timeline, masked. Times are ms, None where its cause is not known."""

    number: int
    topic: str
    service: str
    kind: EventKind
    attempt: int
    cause: int | None
    """The number of the event that caused it."""
    waited_ms: int | None
    worked_ms: int | None


class WholeTransaction(TypedDict):
    """All that is known of a transaction; its id and facts besides, named as its workflow says."""

    correlation_id: str
    retried_calls: tuple[RetriedCall, ...]
    cases: tuple[OpenCase, ...]
    evidence: tuple[EvidenceItem, ...]
    partial: bool
    rows: dict[str, object]
    at: int
    events: list[ShownEvent]


async def show(request: web.Request) -> JsonResponse[WholeTransaction]:
    """Return one transaction: its status, what is next, its events, every service's row."""
    one_transaction = await transaction(request, path_name(request, "order_id"))
    events = [
        ShownEvent(
            **msgspec.structs.asdict(bar.entry),
            number=number,
            topic=topic_name_of(bar.entry.type),
            service=bar.service,
            kind=bar.kind,
            attempt=bar.attempt,
            cause=None if bar.cause is None else bar.cause + 1,
            waited_ms=bar.waited_ms if bar.split else None,
            worked_ms=bar.worked_ms if bar.split else None,
        )
        for number, bar in enumerate(one_transaction.bars, start=1)
    ]
    names = ("retried_calls", "cases", "evidence", "partial", "rows", "at")
    facts = {name: getattr(one_transaction, name) for name in names}
    ids = {one_transaction.workflow.key: one_transaction.id, "correlation_id": one_transaction.id}
    about = {one_transaction.workflow.name: one_transaction.facts}
    whole_transaction = {**ids, **about, **facts, "events": events}
    return json_response(cast("WholeTransaction", whole_transaction))


async def transaction(request: web.Request, transaction_id: str) -> Transaction:
    """Return one transaction. Raises Problem: 404 for one nobody knows, 400 for no such `at`.

    `?at=`: the rows as they were when the event of that number was emitted.
    """
    workflow_and_state, (bars, partial) = await asyncio.gather(
        state_of(request, transaction_id), bars_of(request, transaction_id)
    )
    workflow, state = workflow_and_state or (_workflow_of(request, transaction_id, bars), None)
    if state is None and not bars and not request.app[REPEATS].get(transaction_id):
        names = " or ".join(load_workflows())
        detail = f"nobody knows a transaction ({names}) {transaction_id!r}"
        raise Problem(404, "Not Found", detail, field=workflow.key)
    at = whole(request, "at", 0, 0, len(bars))
    moment_ms = bars[at - 1].entry.time_ms if at else 0
    now = await rows_of(request, transaction_id)
    rows = await rows_at(request, transaction_id, moment_ms) if at else now
    facts = None
    if state is not None:
        facts = {
            **masked(workflow.view.shown(state, request.app[CONTEXT].now_ms())),
            **masked(workflow.view.details(state)),
            "pending_steps": workflow.view.pending_steps(state),
        }
    return Transaction(
        workflow=workflow,
        id=transaction_id,
        facts=facts,
        retried_calls=workflow.view.retried_calls(now),
        cases=_cases(workflow, now),
        evidence=workflow.view.evidence(now, [bar.entry for bar in bars]),
        bars=bars,
        partial=partial,
        rows={name: masked(row, declared[name].shape) for name, row in rows.items()},
        at=at,
        moment_ms=moment_ms,
    )


def _cases(workflow: Workflow, rows: Mapping[str, object]) -> tuple[OpenCase, ...]:
    """Return what of a transaction waits for an operator; nothing where its row does not answer."""
    view = workflow.view.cases
    row = None if view is None else rows.get(view.table)
    if view is None or not isinstance(row, dict):
        return ()
    return view.open(msgspec.convert(row, declared[view.table].shape))


async def state_of(request: web.Request, transaction_id: str) -> tuple[Workflow, object] | None:
    """Return the workflow that has started a transaction, and the state of its row."""
    for workflow in load_workflows().values():
        row = await request.app[CONTEXT].row(workflow.table, transaction_id)
        if row is None:
            continue
        state = msgspec.convert(row["state"], declared[workflow.table].shape)
        if workflow.view.begun(state):
            return workflow, state
    return None


def _workflow_of(request: web.Request, transaction_id: str, bars: Sequence[Bar]) -> Workflow:
    """Return the workflow of a transaction without a row.

    It is that of its request or of its starting event, otherwise any.
    """
    workflows = load_workflows()
    name = request.app[REPEATS].workflow(transaction_id)
    if name:
        return workflows[name]
    types = {bar.entry.type for bar in bars}
    started = (each for each in workflows.values() if type_name(each.started_by) in types)
    return next(started, next(iter(workflows.values())))


async def bars_of(request: web.Request, transaction_id: str) -> tuple[list[Bar], bool]:
    """Return the events of a transaction, their bodies masked, and whether some are missing."""
    entries, partial = await request.app[CONTEXT].journal(transaction_id)
    return timeline(list(map(masked_entry, entries))), partial


def topic_name_of(event_type: str) -> str:
    """Return the topic of events of this type; empty for one that is not declared."""
    message = message_type_of(event_type)
    return "" if message is None else topic_of_type(message).name


# --- rows ---------------------------------------------------------------------


async def rows_of(request: web.Request, transaction_id: str) -> dict[str, object]:
    """Return the rows of the transaction in all services, unmasked, by table."""
    names = sorted(name for name, table in declared.items() if table.by_transaction)
    rows = await asyncio.gather(
        *(request.app[CONTEXT].row(name, transaction_id) for name in names), return_exceptions=True
    )
    row_by_table: dict[str, object] = {}
    for name, row in zip(names, rows, strict=True):
        if isinstance(row, Problem):
            row_by_table[name] = str(row)
        elif isinstance(row, BaseException):
            raise row
        elif row is not None:
            row_by_table[name] = row["state"]
    return row_by_table


async def rows_at(request: web.Request, transaction_id: str, at_ms: int) -> dict[str, object]:
    """Return the rows of the transaction at `at_ms`, from the changelogs, by table."""
    config = request.app[CONTEXT].config
    key = transaction_id.encode()
    names = sorted(name for name, table in declared.items() if table.by_transaction)
    partition = partition_of(key, config.partitions)
    with asking_kafka():
        pasts = await asyncio.gather(
            *(history(config, changelog_topic(declared[name]), partition, key) for name in names)
        )
    row_by_table: dict[str, object] = {}
    for name, past in zip(names, pasts, strict=True):
        before = [each for each in past.versions if each.at_ms <= at_ms]
        if before:
            row_by_table[name] = _remembered(declared[name], before[-1].body)
        elif past.why != "end":
            row_by_table[name] = "not known: its changelog is too long to be read now"
        elif past.versions:
            row_by_table[name] = "not there yet, or what it was then has been compacted away since"
    return row_by_table


def _remembered(table: Table, body: bytes | None) -> object:
    if body is None:
        return "deleted"
    try:
        return msgspec.to_builtins(decode_row(table, body).state)
    except msgspec.DecodeError:
        return "it cannot be read: its form has changed since"
