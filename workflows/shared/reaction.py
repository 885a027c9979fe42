"""Reactions: what a workflow makes of its events for the participants that it shares with others.

Payment, fraud, ledger and notification serve every workflow and name none. A workflow's folder
says in `reactions.py` which of its events make them charge, refund, post or notify, as instructions
that the participant understands. It stays choreography: the participant itself consumes the event,
there is no hop and no leader.
"""

from collections.abc import Callable, Mapping
from typing import Any

from workflows.shared.errors import DeclarationError
from workflows.shared.message import Message
from workflows.shared.topic import Topic, topic_of_type


class Instruction(Message, frozen=True, kw_only=True):
    """What an event of a workflow asks of a participant. Never on the wire: no topic carries it."""


Reaction = Callable[[Any], Instruction | None]
"""(event of the workflow) -> the instruction, or None when this event asks for nothing."""
Reactions = Mapping[type[Message], Mapping[str, Reaction]]
"""By event and name of the workflow."""

WORKFLOW = "workflow"
"""The entry of the baggage that names the workflow of a transaction."""

declared: dict[str, dict[type[Message], dict[str, Reaction]]] = {}
"""The reactions of every participant, by its name."""


def declare_reactions(
    workflow: str, participant: str, reactions: Mapping[type[Message], Reaction]
) -> None:
    """Declare what `participant` does about the events of `workflow`.

    Raises DeclarationError when the workflow has said so of an event before.
    """
    by_event = declared.setdefault(participant, {})
    for event, reaction in reactions.items():
        by_workflow = by_event.setdefault(event, {})
        if workflow in by_workflow:
            raise DeclarationError(f"{workflow} declares twice what {participant} does at {event}")
        by_workflow[workflow] = reaction


def reaction_topics(reactions: Reactions) -> tuple[Topic, ...]:
    """Return the topics of the events in `reactions`, each once, by name."""
    topics = {topic_of_type(event).name: topic_of_type(event) for event in reactions}
    return tuple(topic for _, topic in sorted(topics.items()))


def instructions(
    reactions: Reactions, received: Message, workflow: str
) -> tuple[Instruction, ...] | None:
    """Return what `received` asks, in a transaction of `workflow`; None when nobody reacts to it.

    A transaction that began before workflows were named has none: then all reactions count.
    """
    by_workflow = reactions.get(type(received))
    if by_workflow is None:
        return None
    applicable = by_workflow.values() if not workflow else filter(None, [by_workflow.get(workflow)])
    answers = [reaction(received) for reaction in applicable]
    return tuple(each for each in answers if each is not None)
