"""Runs a workflow's functions as the engine does, without the engine."""

from typing import Any

from app.delivery.agent import Agent, Decider
from app.delivery.decision import apply
from app.registry import load_agents
from workflows.fraud.verdict import Judge
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

START_MS = 1_700_000_000_000
"""When every story begins."""

JUDGE = Judge()
"""The knowledge of an instance that has no model and only the built-in rules."""

Received = Message | tuple[Message, float]
"""A message, or a message and how many seconds into the story it is received."""


def after(workflow: Any, *story: Received) -> tuple[Any, tuple[Message, ...]]:
    """Return the state after `story`, and what its last message made `workflow` emit."""
    state, emitted = workflow.INITIAL, ()
    for received in story:
        state, emitted = receive(workflow, state, received)
    return state, emitted


def receive(
    workflow: Any, state: Any, received: Received, knowledge: object = JUDGE
) -> tuple[Any, tuple[Message, ...]]:
    """Return the state after one message, and what it made `workflow` emit."""
    message, seconds = received if isinstance(received, tuple) else (received, 0)
    at_ms = START_MS + round(seconds * 1_000)
    agent = workflow if isinstance(workflow, Agent) else agent_of(workflow)
    return apply(agent, state, message, at_ms, knowledge)


def agent_of(workflow: Any) -> Any:
    """Return the agent whose states `workflow` evolves."""
    [agent] = [
        agent
        for agent in load_agents().values()
        if isinstance(agent, Decider) and agent.evolve is workflow.evolve
    ]
    return agent


def alarm(seconds: float) -> Received:
    """Return the clock's message `seconds` into the story, received at that moment."""
    message = DeadlineReached(key="o1", due_at_ms=START_MS + round(seconds * 1_000))
    return message, seconds


def due_seconds(workflow: Any, state: Any) -> float | None:
    """Return how far into the story `state` wants to be woken."""
    at_ms = workflow.due(state)
    return None if at_ms is None else (at_ms - START_MS) / 1_000
