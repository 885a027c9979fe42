"""How a test talks to a workflow: as the shell does, without the shell."""

from typing import Any

from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

START_MS = 1_700_000_000_000
"""When every story begins."""

Heard = Message | tuple[Message, float]
"""A word, or a word and how many seconds into the story it is heard."""


def after(workflow: Any, *story: Heard) -> tuple[Any, tuple[Message, ...]]:
    """Return the memory after `story`, and what its last word made `workflow` tell."""
    memory, told = workflow.INITIAL, ()
    for heard in story:
        memory, told = hear(workflow, memory, heard)
    return memory, told


def hear(workflow: Any, memory: Any, heard: Heard) -> tuple[Any, tuple[Message, ...]]:
    """Return the memory after one word, and what it made `workflow` tell."""
    word, seconds = heard if isinstance(heard, tuple) else (heard, 0)
    at_ms = START_MS + round(seconds * 1_000)
    told = workflow.decide(memory, word, at_ms)
    for said in (word, *told):
        memory = workflow.evolve(memory, said, at_ms)
    return memory, told


def alarm(seconds: float) -> Heard:
    """Return the clock's message `seconds` into the story, heard at that moment."""
    word = DeadlineReached(key="o1", due_at_ms=START_MS + round(seconds * 1_000))
    return word, seconds


def due_seconds(workflow: Any, memory: Any) -> float | None:
    """Return how far into the story `memory` wants to be woken."""
    at_ms = workflow.due(memory)
    return None if at_ms is None else (at_ms - START_MS) / 1_000
