"""Checks of records: dead letters are complete, retries not late, nothing is deleted unread."""

from app.operations.verification.facts import Facts
from workflows.shared.invariants import Check, as_check


def dead_letters_are_complete(facts: Facts) -> Check:
    """Every dead letter has its bytes, its cause and where it came from."""
    count = sum(sum(causes.values()) for causes in facts.dead.values())
    return as_check("dead_letters_name_causes", count, facts.nameless)


def poison_is_dead_lettered(facts: Facts) -> Check:
    """A record that cannot be decoded is in a dead topic, byte for byte."""
    wrong = [
        f"{origin} missing in {topic}"
        for origin, lost in facts.unreadable.items()
        for topic in sorted(lost.due_in)
        if lost.digest not in facts.dead_digests.get(origin, {}).get(topic, ())
    ]
    return as_check("poison_is_dead_lettered", len(facts.unreadable), wrong)


def nothing_parked_late(facts: Facts) -> Check:
    """No event waits in a retry topic past its time."""
    return as_check("nothing_parked_late", facts.parked, facts.parked_late)


def nothing_deleted_unread(facts: Facts) -> Check:
    """No service was away for longer than a topic keeps its records, or its group its offsets."""
    return as_check("nothing_deleted_unread", len(facts.deleted_unread), facts.deleted_unread)


CHECKS = (
    dead_letters_are_complete,
    poison_is_dead_lettered,
    nothing_parked_late,
    nothing_deleted_unread,
)
"""Every check of this module, in the order in which they are shown."""
