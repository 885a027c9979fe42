"""What is owed after receiving a message: a participant as two functions, `evolve` and `owed`.

`owed(state)` says what must be emitted now because of what is remembered; emitting it makes it no
longer owed. So receiving the same twice owes nothing the second time.
"""

from collections.abc import Callable
from typing import TypeVar

from workflows.shared.message import Message

State = TypeVar("State")

MESSAGES_MAX = 10_000
"""More messages owed at once than this is a state that does not notice what it emitted."""


def drain(
    received: Message,
    state: State,
    at_ms: int,
    *,
    evolve: Callable[[State, Message, int], State],
    pending: Callable[[State], tuple[Message, ...]],
) -> tuple[Message, ...]:
    """Return all that is to be produced after `received`, in order, until nothing is owed."""
    state = evolve(state, received, at_ms)
    emitted: list[Message] = []
    while messages := pending(state):
        emitted += messages
        assert len(emitted) <= MESSAGES_MAX, "what was told is still owed"
        for message in messages:
            state = evolve(state, message, at_ms)
    return tuple(emitted)
