"""The status of every dead letter, from the records on the topics alone. Pure.

Resolved means handled, not sent: a dead letter is handled when the agent that failed has taken it
through all its checkpoints and has not dead-lettered it again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from app.operations.dead_letters.dead_letter import DeadLetter

State = Literal["open", "sent", "handled", "again", "discarded"]
STATES: tuple[State, ...] = ("open", "sent", "handled", "again", "discarded")


class RedriveAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter in a redrive topic."""

    redrive_id: str
    of: str
    """The place of the dead letter."""
    topic: str
    partition: int
    offset: int


class DeadLetterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that determines the status of dead letters."""

    dead_letters: tuple[DeadLetter, ...]
    """By topic, partition and offset, in order."""
    attempts: Mapping[str, RedriveAttempt]
    """By the place of the dead letter: each is redriven once."""
    through: Mapping[tuple[str, int], int]
    """By topic and partition of redrive topics: the committed offset of the service."""
    parked: frozenset[str] = frozenset()
    """Redrive ids that wait in retry topics."""
    discarded: Mapping[str, str] = {}
    """Place of each discarded dead letter → why."""
    proposed: Mapping[str, tuple[str, ...]] = {}
    """Id of each proposed edit → who proposed it."""
    edited_minor: Mapping[str, int] = {}
    """Place of each edited dead letter → the money in what it became, in the reference currency."""
    foreign: int = 0
    """Records in dead topics that no service of Payflow has dead-lettered: nobody can act on them.
    """


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a redrive."""

    redrive: str
    sent: int
    handled: int
    failed_again: int
    unsent: int
    """Not sent, because the canary failed or time ran out."""
    waiting: int
    """Sent, and not yet handled when the wait ended."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters with the same service, cause and stack."""

    service: str
    cause: str
    stack: str
    dead_letters: int
    states: dict[str, int]
    first_ms: int
    latest_ms: int
    example: str


def states(facts: DeadLetterFacts) -> dict[str, State]:
    """Return the status of every dead letter by its place."""
    again = {dead_letter.redrive_id for dead_letter in facts.dead_letters if dead_letter.redrive_id}
    return {
        dead_letter.place: _state(dead_letter.place, facts, again)
        for dead_letter in facts.dead_letters
    }


def _state(place: str, facts: DeadLetterFacts, again: set[str]) -> State:
    attempt = facts.attempts.get(place)
    if attempt is None:
        return "discarded" if place in facts.discarded else "open"
    if attempt.redrive_id in again:
        return "again"
    passed = facts.through.get((attempt.topic, attempt.partition), 0) > attempt.offset
    return "handled" if passed and attempt.redrive_id not in facts.parked else "sent"


def groups(dead_letters: Iterable[DeadLetter], statuses: Mapping[str, State]) -> list[Group]:
    """Return the dead letters by service, cause and stack, those with most open ones first."""
    members_by_key: dict[tuple[str, str, str], list[DeadLetter]] = {}
    for dead_letter in dead_letters:
        members_by_key.setdefault(
            (dead_letter.service, dead_letter.cause, dead_letter.stack), []
        ).append(dead_letter)
    all_groups = [_group(key, members, statuses) for key, members in members_by_key.items()]
    return sorted(all_groups, key=lambda group: (-group.states.get("open", 0), group.first_ms))


def _group(
    key: tuple[str, str, str], members: list[DeadLetter], statuses: Mapping[str, State]
) -> Group:
    service, cause, stack = key
    return Group(
        service=service,
        cause=cause,
        stack=stack,
        dead_letters=len(members),
        states=dict(Counter(statuses[dead_letter.place] for dead_letter in members)),
        first_ms=min(dead_letter.at_ms for dead_letter in members),
        latest_ms=max(dead_letter.at_ms for dead_letter in members),
        example=members[0].place,
    )


def outcome_of(
    about: str, sent: Collection[DeadLetter], statuses: Mapping[str, State], unsent: int
) -> Outcome:
    """Return the result of the redrive `about`, which has sent `sent`."""
    sent_states = [statuses[dead_letter.place] for dead_letter in sent]
    return Outcome(
        redrive=about,
        sent=len(sent),
        handled=sent_states.count("handled"),
        failed_again=sent_states.count("again"),
        unsent=unsent,
        waiting=sent_states.count("sent"),
    )
