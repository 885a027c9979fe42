"""The result of a drill: a value, as JSON and as one Markdown table."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from app.operations.verification.verdict import Verdict


class FaultResult(msgspec.Struct, frozen=True, kw_only=True):
    """One injected fault and what followed."""

    name: str
    target: str = ""
    recovery_s: float = 0.0
    """Seconds until every service concerned made progress again; infinite when one never did."""
    redelivered: int = 0
    duplicates_dropped: int = 0
    written: dict[str, int] = {}
    """What the fault itself has written to topics, by kind."""
    breaches: tuple[str, ...] = ()
    cause: str = ""
    """Why there are breaches: the condition not met, the last figures, the last log lines."""


class DrillResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole drill."""

    seed: int
    rate: float
    asked: int
    """How many transactions were asked for."""
    lost: tuple[str, ...]
    """Transactions that were never accepted, and why."""
    met: tuple[FaultResult, ...]
    stops: tuple[tuple[str, float, int | None], ...]
    """Clean stops: process, seconds, exit code."""
    rows_differing: tuple[str, ...]
    unended: str
    """Which orders never ended, and why; empty when all did."""
    verdict: Verdict
    wall_s: float


def breaches_of(verdict: Verdict) -> tuple[str, ...]:
    """Return what is broken, as `check: id`."""
    return tuple(
        f"{check.name}: {name}"
        for check in verdict.checks
        if not check.ok
        for name in check.offending or (check.detail,)
    )


def final_breaches(drilled: DrillResult) -> tuple[str, ...]:
    """Return what is broken when all faults are over and all workers have stopped."""
    rows = (f"row: {name}" for name in drilled.rows_differing)
    return (*breaches_of(drilled.verdict), *rows, *filter(None, [drilled.unended]))


def build(drilled: DrillResult) -> dict[str, Any]:
    """Return the report as plain values."""
    verdict = drilled.verdict
    final = final_breaches(drilled)
    every = [breach for outcome in drilled.met for breach in outcome.breaches]
    return {
        "seed": drilled.seed,
        "faults": [_line(name, drilled.met) for name in _names(drilled.met)],
        "breaches": len(every) + len(final),
        "breaches_named": [*every, *final][:100],
        "causes": [outcome.cause for outcome in drilled.met if outcome.cause],
        "verify_ok": verdict.verify_ok,
        "transactions_per_second": round(drilled.rate, 1),
        "asked": drilled.asked,
        "lost": list(drilled.lost),
        "started": verdict.started,
        "unsettled": verdict.unsettled,
        "figures": verdict.figures,
        "summary": verdict.summary,
        "dead_letters": verdict.dead_letters,
        "rows_differing": list(drilled.rows_differing),
        "stop_s_max": round(max((took for _, took, _ in drilled.stops), default=0.0), 2),
        "stops": [
            {"of": name, "seconds": round(took, 2), "exit_code": code}
            for name, took, code in drilled.stops
        ],
        "wall_s": round(drilled.wall_s, 1),
    }


def _names(outcomes: Iterable[FaultResult]) -> list[str]:
    return list(dict.fromkeys(each.name for each in outcomes))


def _line(name: str, every: Iterable[FaultResult]) -> dict[str, Any]:
    outcomes = [each for each in every if each.name == name]
    slowest = max(each.recovery_s for each in outcomes)
    return {
        "name": name,
        "injected": len(outcomes),
        "recovery_s": None if math.isinf(slowest) else round(slowest, 2),
        "redelivered": sum(each.redelivered for each in outcomes),
        "duplicates_dropped": sum(each.duplicates_dropped for each in outcomes),
        "breaches": sum(len(each.breaches) for each in outcomes),
        "written": dict(
            sorted(sum((Counter(each.written) for each in outcomes), Counter()).items())
        ),
    }


def markdown(report: dict[str, Any]) -> str:
    """Return one table: each fault, its recovery time, the repeated events, what broke."""
    lines = [
        "| fault | times | slowest recovery (s) | redelivered | duplicates dropped | breaches |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for fault in report["faults"]:
        seconds = "never" if fault["recovery_s"] is None else f"{fault['recovery_s']:.1f}"
        lines.append(
            f"| {fault['name']} | {fault['injected']} | {seconds} | {fault['redelivered']} "
            f"| {fault['duplicates_dropped']} | {fault['breaches']} |"
        )
    summary_line = (
        f"Seed {report['seed']}, {report['started']} transactions at "
        f"{report['transactions_per_second']} per second; {report['summary']}; "
        f"slowest clean stop {report['stop_s_max']} s; rows that differ from their changelog: "
        f"{len(report['rows_differing'])}; breaches: {report['breaches']}; "
        f"verify: {'holds' if report['verify_ok'] else 'BROKEN'}."
    )
    wrote = [
        f"{fault['name']} wrote: "
        + "; ".join(f"{kind} {count}" for kind, count in fault["written"].items())
        for fault in report["faults"]
        if fault["written"]
    ]
    causes = [f"```\n{cause}\n```" for cause in report["causes"]]
    return "\n".join([*lines, "", summary_line, *wrote, *causes]) + "\n"
