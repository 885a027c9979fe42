"""Dead letters: what could not be handled is kept and explained, and what waits is not late."""

from app.operations.verification.case import Case, Check, found


def dead_letters_are_complete(case: Case) -> Check:
    """Every dead letter has its bytes, its cause and where it came from."""
    count = sum(sum(causes.values()) for causes in case.facts.dead.values())
    return found("dead_letters_tell", count, case.facts.nameless)


def poison_is_dead_lettered(case: Case) -> Check:
    """What nobody can read lies in a dead topic, byte for byte."""
    facts = case.facts
    wrong = [
        f"{origin} missing in {topic}"
        for origin, lost in facts.unreadable.items()
        for topic in sorted(lost.due_in)
        if lost.digest not in facts.dead_digests.get(origin, {}).get(topic, ())
    ]
    return found("poison_is_laid_aside", len(facts.unreadable), wrong)


def nothing_parked_late(case: Case) -> Check:
    """No event waits in a retry topic past its time."""
    return found("nothing_parked_late", case.facts.parked, case.facts.parked_late)
