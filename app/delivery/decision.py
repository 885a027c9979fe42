"""One event and one state: the state is computed once, with the messages emitted on the way."""

from collections.abc import Sequence

from app.delivery.agent import Decider, State, is_informed
from workflows.shared.message import Message
from workflows.shared.reaction import instructions

MESSAGES_MAX = 10_000
"""With more messages because of one event, `evolve` does not note what was emitted."""


def apply(  # noqa: PLR0913  the event, where it applies, and what is known
    agent: Decider[State],
    state: State,
    received: Message,
    at_ms: int,
    knowledge: object = None,
    workflow: str = "",
) -> tuple[State, tuple[Message, ...]]:
    """Return the state after `received`, and all messages emitted because of it, in order.

    An event to which a workflow declares a reaction is applied as its instructions. `knowledge` is
    that of an `InformedDecider`; `workflow` is that of the transaction, "" where it is not known.
    """
    reaction = instructions(agent.reactions, received, workflow)
    emitted: list[Message] = []
    for message in (received,) if reaction is None else reaction:
        state, more = _apply(agent, state, message, at_ms, knowledge)
        emitted += more
    return state, tuple(emitted)


def _apply(
    agent: Decider[State], state: State, received: Message, at_ms: int, knowledge: object
) -> tuple[State, list[Message]]:
    """Emit the answer to the message, then what is pending, until nothing is.

    Received again, the message leaves nothing pending a second time.
    """
    messages: Sequence[Message] = agent.decide(state, received, at_ms)
    emitted: list[Message] = []
    state = agent.evolve(state, received, at_ms)
    while True:
        emitted += messages
        assert len(emitted) <= MESSAGES_MAX, f"{agent.name} emits the same again and again"
        for message in messages:
            state = agent.evolve(state, message, at_ms)
        messages = _pending(agent, state, at_ms, knowledge)
        if not messages:
            return state, emitted


def _pending(
    agent: Decider[State], state: State, at_ms: int, knowledge: object
) -> Sequence[Message]:
    if is_informed(agent):
        assert knowledge is not None, f"{agent.name} decides with knowledge, and has none"
        return agent.judge(state, at_ms, knowledge)
    return agent.pending(state)
