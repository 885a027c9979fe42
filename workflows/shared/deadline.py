"""The clock's message to an agent: emitted on `<service>.timers` by the service itself."""

from workflows.shared.limits import Milliseconds, Name
from workflows.shared.message import Message


class DeadlineReached(Message, tag="payflow.deadline.reached.v1", frozen=True, kw_only=True):
    """`due_at_ms` has passed for the row `key`; an agent that moved on ignores it."""

    key: Name
    due_at_ms: Milliseconds
