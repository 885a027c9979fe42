"""All that `verify` knows: the facts of each workflow, and the fate of every record.

Bodies are not kept, so a million events fit in memory.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar
from uuid import UUID

import msgspec

from app.wire.envelope import Envelope
from workflows.shared.invariants import Moment
from workflows.shared.message import Message
from workflows.shared.reaction import WORKFLOW
from workflows.shared.topic import topic_of
from workflows.shared.workflow import Workflow

Kept = TypeVar("Kept")
"""The record of one transaction at an external system."""


class UndecodableRecord(msgspec.Struct, kw_only=True):
    """A record that cannot be decoded."""

    digest: bytes
    due_in: frozenset[str]
    """The dead topics of the services that have read past it."""


class Facts(msgspec.Struct, kw_only=True):
    """All facts. It starts empty, and the readers of topics and rows fill it."""

    by_workflow: dict[str, object] = {}
    """The facts of each workflow, by its name."""
    unreadable: dict[str, UndecodableRecord] = {}
    """By `topic/partition/offset`."""
    dead: dict[str, Counter[str]] = {}
    """Dead letters by topic and cause."""
    dead_digests: dict[str, dict[str, set[bytes]]] = {}
    """By origin and dead topic: digests of the dead-lettered bytes. Every producer may claim an
    origin."""
    foreign_dead_letters: int = 0
    """Records in dead topics that no service of Payflow has produced."""
    nameless: list[str] = []
    """Dead letters without bytes, cause or origin."""
    parked: int = 0
    """Events that wait in retry topics."""
    parked_late: list[str] = []
    """Those whose time has passed, as `topic/partition/offset`."""
    deleted_unread: list[str] = []
    """What topics have deleted before a service had read it: topic, partition, service, offsets."""
    deleted_before_start: list[str] = []
    """What topics have deleted before a service has run for the first time, in the same form."""
    pending: set[str] = set()
    """Keys with an event that some service has not consumed yet."""
    duplicates: int = 0
    event_ids: set[int] = set()
    """Eight bytes of the id of each event."""
    started: dict[str, str] = {}
    """The name of the workflow that started each transaction, by its id."""

    def of(self, workflow: Workflow) -> object:
        """Return the facts of `workflow`, empty when none is known yet."""
        if workflow.name not in self.by_workflow:
            self.by_workflow[workflow.name] = workflow.invariants.facts()
        return self.by_workflow[workflow.name]

    def project(self, workflows: Iterable[Workflow], message: Message, envelope: Envelope) -> None:
        """Add `message` to the facts of `workflows`; a repeated event id changes nothing."""
        short = _short(envelope.id)
        if short in self.event_ids:
            self.duplicates += 1
            return
        self.event_ids.add(short)
        topic = topic_of(message)
        # Participants are shared: their topics carry events of every workflow's transactions.
        workflow_name = envelope.baggage.get(WORKFLOW, "")
        for workflow in workflows:
            if isinstance(message, workflow.started_by):
                self.started[str(getattr(message, workflow.key))] = workflow.name
            if topic in workflow.invariants.topics and workflow_name in ("", workflow.name):
                workflow.invariants.project(self.of(workflow), message, envelope.time_ms)

    def moment_of(self, workflow: Workflow, moment: Moment) -> Moment:
        """Return `moment` with only those external records that may belong to `workflow`.

        Records of transactions that were never started stay: they are a breach.
        """
        return msgspec.structs.replace(
            moment,
            provider=self._without_others(workflow, moment.provider),
            carrier=self._without_others(workflow, moment.carrier),
        )

    def _without_others(
        self, workflow: Workflow, records: Mapping[str, Kept] | None
    ) -> Mapping[str, Kept] | None:
        if records is None:
            return None
        name = workflow.name
        return {key: each for key, each in records.items() if self.started.get(key, name) == name}

    def forget_what_moves(self) -> None:
        """Drop the facts that hold for one moment only, before the next read."""
        self.pending.clear()
        self.parked = 0
        self.parked_late.clear()
        self.deleted_unread.clear()
        self.deleted_before_start.clear()


def _short(event_id: str) -> int:
    """Return eight bytes of the id: enough to distinguish a million events, and small."""
    try:
        return UUID(event_id).int >> 64
    except ValueError:
        return hash(event_id)
