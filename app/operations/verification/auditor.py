"""Checks Payflow as it is now: `payflow verify`, or this module with `--json` or `--follow`.

Reads every topic, the rows behind the tables and the external systems' own files; changes nothing,
joins no group, needs no running service. Exit code 1 when a check fails, with the offending ids.
"""

import argparse
import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.config import Config, ConfigError, current
from app.delivery.agent_topics import consumed_topics, owned_topics
from app.kafka.errors import KafkaError, TopicError
from app.operations.verification import external_systems
from app.operations.verification.consistent_cut import ConsumedTopics, Place, WrittenTopics
from app.operations.verification.facts import Facts
from app.operations.verification.reader import Unreadable, read_topics
from app.operations.verification.verdict import Verdict, judge
from app.registry import load_agents, load_workflows
from app.wire import clock
from app.wire.json_output import json_bytes
from workflows.shared.invariants import MOTION_MS, WEBHOOK_QUIETS_MAX, Moment

__all__ = ["Auditor", "Verdict", "main", "verify"]

EXIT_WRONG = 1
EXIT_UNKNOWN = 2
"""The exit code when Payflow could not be read: nothing was verified."""
REST_SECONDS = 2.0
READ_LIST_SECONDS = 60.0
"""How long reading the list of events of the provider may take, and the work that follows."""
PAUSE = 9
DELETIONS_MAX = 50
"""Of what was deleted before a first start."""
CANNOT_READ = (ConfigError, KafkaError, OSError, sqlite3.Error, TopicError, Unreadable)


async def verify(
    config: Config,
    log: Callable[[str], None] | None = None,
    now_ms: int | None = None,
    motion_ms: int = MOTION_MS,
) -> Verdict:
    """Return the verdict on Payflow of `config` at `now_ms`; `log` is called with its progress.

    Raises one of CANNOT_READ when the cluster or a file cannot be read.
    """
    return await Auditor(config, motion_ms).verdict(log, now_ms)


class Auditor:
    """Verifies the same instance repeatedly, and reads only new records each time."""

    def __init__(self, config: Config, motion_ms: int = MOTION_MS) -> None:
        self._config = config
        self._motion_ms = motion_ms
        self._workflows = tuple(load_workflows().values())
        self._facts = Facts()
        self._known: dict[Place, int] = {}
        self._count = 0

    async def verdict(
        self, log: Callable[[str], None] | None = None, now_ms: int | None = None
    ) -> Verdict:
        """Return the verdict on Payflow at `now_ms`. Raises one of CANNOT_READ."""
        say = log or (lambda _line: None)
        # The cut is taken later, so no event seems older than it is.
        at_ms = clock.now_ms() if now_ms is None else now_ms
        facts, config = self._facts, self._config
        busy_seconds = WEBHOOK_QUIETS_MAX * config.webhook_quiet_seconds
        say("reading topics and rows")
        self._count += await read_topics(
            config, self._workflows, (listeners(), writers()), facts, at_ms, self._known
        )
        say(f"{self._count} records read; reading the files of provider and carrier")
        moment = Moment(
            now_ms=at_ms,
            motion_ms=self._motion_ms,
            notice_ms=round(1_000 * (busy_seconds + READ_LIST_SECONDS)),
            provider=await asyncio.to_thread(external_systems.read_provider, config),
            carrier=await asyncio.to_thread(external_systems.read_carrier, config),
        )
        sources = {
            "topics": f"{self._count} records",
            "provider": _source(moment.provider, external_systems.provider_file(config)),
            "carrier": _source(moment.carrier, external_systems.carrier_file(config)),
        }
        if facts.deleted_before_start:
            deleted = ", ".join(facts.deleted_before_start[:DELETIONS_MAX])
            sources["never run yet"] = f"deleted before a first start, not a loss: {deleted}"
        return judge(facts, moment, self._workflows, sources)


async def follow(auditor: Auditor) -> None:
    """Print the verdict again and again, a JSON line each, until stdin ends.

    It pauses PAUSE times as long as it read, to leave the CPU to others.
    """
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        began = time.monotonic()
        try:
            line = json_bytes((await auditor.verdict()).plain())
        except CANNOT_READ as error:
            line = json_bytes({"cannot_look": str(error)})
        sys.stdout.write(line.decode() + "\n")
        sys.stdout.flush()
        rest = max(REST_SECONDS, PAUSE * (time.monotonic() - began))
        await asyncio.wait({ended}, timeout=rest)


def listeners() -> ConsumedTopics:
    """Return the topics that each service reads, its retries and timers included."""
    consumed: dict[str, frozenset[str]] = {}
    for agent in load_agents().values():
        consumed[agent.service] = consumed.get(agent.service, frozenset()) | set(
            consumed_topics(agent)
        )
    return consumed


def writers() -> WrittenTopics:
    """Return the topics that only each service writes, its changelogs included."""
    written: dict[str, frozenset[str]] = {}
    for agent in load_agents().values():
        written[agent.service] = written.get(agent.service, frozenset()) | owned_topics(agent)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Check Payflow of the environment and print the verdict; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m app.operations.verification.auditor", description=__doc__
    )
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    parser.add_argument("--follow", action="store_true", help="JSON lines until stdin ends")
    parser.add_argument("--settle-ms", type=int, default=MOTION_MS, dest="motion_ms", metavar="MS")
    options = parser.parse_args(arguments)
    errors = Console(stderr=True)
    if options.follow:
        asyncio.run(follow(Auditor(current(), options.motion_ms)))
        return 0
    try:
        verdict = asyncio.run(verify(current(), motion_ms=options.motion_ms))
    except CANNOT_READ as error:
        errors.print(Text(f"cannot verify: {error}", style="red"))
        return EXIT_UNKNOWN
    if options.json:
        sys.stdout.write(json_bytes(verdict.plain()).decode() + "\n")
    else:
        show(verdict, Console())
    return 0 if verdict.verify_ok else EXIT_WRONG


def show(verdict: Verdict, console: Console) -> None:
    """Print `verdict` for people."""
    table = Table("check", "", "of", "offending and detail", title="payflow verify")
    for check in verdict.checks:
        mark = Text("holds", style="green") if check.ok else Text("BROKEN", style="bold red")
        # Ids come from outside: as Text, no markup of theirs is obeyed.
        detail = "\n".join(filter(None, (", ".join(check.offending), check.detail)))
        table.add_row(check.name, mark, str(check.checked), Text(detail))
    console.print(table)
    console.print(verdict.summary)
    for name, text in verdict.seen.items():
        console.print(Text(f"{name}: {text}"))


def _source(records: Mapping[str, object] | None, path: object) -> str:
    if records is None:
        return f"not checked: no file {path}"
    return f"{len(records)} orders in {path}"


if __name__ == "__main__":
    sys.exit(main())
