"""The clock's message to a room: told on `<service>.timers` by the service itself."""

from workflows.message import Message
from workflows.words.limits import Milliseconds, Name


class DeadlineReached(Message, tag="payflow.deadline.reached.v1", frozen=True, kw_only=True):
    """`due_at_ms` has passed for the row `key`; a room that moved on ignores it."""

    key: Name
    due_at_ms: Milliseconds
