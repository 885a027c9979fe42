"""The verdict of `verify`: one value for JSON, page and exit code. Pure."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from app.operations.verification.dead_letter_checks import CHECKS
from app.operations.verification.facts import Facts
from workflows.shared.invariants import Check, Moment
from workflows.shared.workflow import Workflow


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification."""

    verify_ok: bool
    at_ms: int
    figures: dict[str, object]
    """The figures of workflows, by name."""
    started: int
    """How many transactions have begun."""
    unsettled: int
    """How many transactions, or parts of them, have an event outstanding."""
    open_ids: tuple[str, ...] = ()
    """Some of the transactions that have not ended."""
    summary: str
    dead_letters: dict[str, int]
    """By dead topic."""
    dead_letter_causes: dict[str, int]
    events_read: int
    events_repeated: int
    """Events with a repeated id, which count once."""
    seen: dict[str, str]
    """The sources that could be read and those that could not: topics, tables, provider,
    carrier."""
    checks: tuple[Check, ...]

    def plain(self) -> dict[str, object]:
        """Return the verdict as plain values for JSON, its figures among them."""
        facts = msgspec.to_builtins(self)
        for name in ("started", "unsettled", "open_ids", "summary"):
            del facts[name]
        return {**facts.pop("figures"), **facts}


def judge(
    facts: Facts,
    moment: Moment,
    workflows: Iterable[Workflow],
    sources: dict[str, str] | None = None,
) -> Verdict:
    """Return the verdict on `facts` at `moment`; it is ok when every check is."""
    moment = msgspec.structs.replace(moment, pending=facts.pending)
    findings = [
        each.invariants.judge(facts.of(each), facts.moment_of(each, moment)) for each in workflows
    ]
    checks = (
        *(check for each in findings for check in each.checks),
        *(check(facts) for check in CHECKS),
    )
    figures: dict[str, object] = {}
    for each in findings:
        figures.update(each.figures)
    return Verdict(
        verify_ok=all(check.ok for check in checks),
        at_ms=moment.now_ms,
        figures=figures,
        started=sum(each.started for each in findings),
        unsettled=sum(each.unsettled for each in findings),
        open_ids=tuple(name for each in findings for name in each.open_ids),
        summary="; ".join(each.summary for each in findings),
        dead_letters={topic: sum(causes.values()) for topic, causes in sorted(facts.dead.items())},
        dead_letter_causes=_counts(
            cause for causes in facts.dead.values() for cause in causes.elements()
        ),
        events_read=len(facts.event_ids),
        events_repeated=facts.duplicates,
        seen={"tables": "; ".join(each.rows for each in findings if each.rows), **(sources or {})},
        checks=checks,
    )


def _counts(labels: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(labels).items()))
