"""How a test talks to a workflow: as the engine does, without the engine."""

from typing import Any

from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

START_MS = 1_700_000_000_000
"""When every story begins."""

Received = Message | tuple[Message, float]
"""A message, or a message and how many seconds into the story it is received."""


def after(workflow: Any, *story: Received) -> tuple[Any, tuple[Message, ...]]:
    """Return the state after `story`, and what its last message made `workflow` tell."""
    state, emitted = workflow.INITIAL, ()
    for received in story:
        state, emitted = receive(workflow, state, received)
    return state, emitted


def receive(workflow: Any, state: Any, received: Received) -> tuple[Any, tuple[Message, ...]]:
    """Return the state after one message, and what it made `workflow` tell."""
    message, seconds = received if isinstance(received, tuple) else (received, 0)
    at_ms = START_MS + round(seconds * 1_000)
    emitted = workflow.decide(state, message, at_ms)
    for said in (message, *emitted):
        state = workflow.evolve(state, said, at_ms)
    return state, emitted


def alarm(seconds: float) -> Received:
    """Return the clock's message `seconds` into the story, received at that moment."""
    message = DeadlineReached(key="o1", due_at_ms=START_MS + round(seconds * 1_000))
    return message, seconds


def due_seconds(workflow: Any, state: Any) -> float | None:
    """Return how far into the story `state` wants to be woken."""
    at_ms = workflow.due(state)
    return None if at_ms is None else (at_ms - START_MS) / 1_000
