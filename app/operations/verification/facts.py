"""What `verify` knows: what workflows fold for themselves, and what became of every record.

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
"""What an external system keeps of one transaction."""


class Lost(msgspec.Struct, kw_only=True):
    """A record nobody can read, met on a topic."""

    digest: bytes
    due_in: frozenset[str]
    """The dead topics of the services that have passed it."""


class Facts(msgspec.Struct, kw_only=True):
    """Everything known. Made empty, filled by the readers of topics and rows."""

    by_workflow: dict[str, object] = {}
    """What each workflow folds, by its name."""
    unreadable: dict[str, Lost] = {}
    """By `topic/partition/offset`."""
    dead: dict[str, Counter[str]] = {}
    """Dead letters by topic and cause."""
    dead_digests: dict[str, dict[str, set[bytes]]] = {}
    """By origin and dead topic: digests of the bytes dead-lettered. Anybody may claim an origin."""
    foreign_dead_letters: int = 0
    """Records in dead topics that no service of Payflow has laid there."""
    nameless: list[str] = []
    """Dead letters without bytes, cause or origin."""
    parked: int = 0
    """Events that wait in retry topics."""
    parked_late: list[str] = []
    """Those whose time has passed, as `topic/partition/offset`."""
    pending: set[str] = set()
    """Keys about which something is emitted that a service has yet to receive."""
    duplicates: int = 0
    seen: set[int] = set()
    started: dict[str, str] = {}
    """The name of the workflow that started each transaction, by its id."""

    def of(self, workflow: Workflow) -> object:
        """Return the facts of `workflow`, empty when none is known yet."""
        if workflow.name not in self.by_workflow:
            self.by_workflow[workflow.name] = workflow.invariants.facts()
        return self.by_workflow[workflow.name]

    def fold(self, workflows: Iterable[Workflow], message: Message, envelope: Envelope) -> None:
        """Let `workflows` fold `message`; an event whose id was seen before changes nothing."""
        short = _short(envelope.id)
        if short in self.seen:
            self.duplicates += 1
            return
        self.seen.add(short)
        topic = topic_of(message)
        # Participants are shared: their topics carry events of every workflow's transactions.
        named = envelope.baggage.get(WORKFLOW, "")
        for workflow in workflows:
            if isinstance(message, workflow.started_by):
                self.started[str(getattr(message, workflow.key))] = workflow.name
            if topic in workflow.invariants.topics and named in ("", workflow.name):
                workflow.invariants.fold(self.of(workflow), message, envelope.time_ms)

    def moment_of(self, workflow: Workflow, moment: Moment) -> Moment:
        """Return `moment` with only those records outside that may be of `workflow`.

        Those of transactions that nobody has started stay: they are a breach to be found.
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
        """Forget what is only true of one moment, before everything is read again."""
        self.pending.clear()
        self.parked = 0
        self.parked_late.clear()


def _short(event_id: str) -> int:
    """Return eight bytes of the id: enough to tell a million events apart, a third the state."""
    try:
        return UUID(event_id).int >> 64
    except ValueError:
        return hash(event_id)
