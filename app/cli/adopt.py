"""`payflow adopt`: lets services go on with logs that are not those that they have applied."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from app.cli.instance import AsJson, as_json, configuration, err, fail, out, run, this_user
from app.config import Config
from app.delivery.agent_topics import consumed_topics
from app.kafka.admin import ensure_topics
from app.local import broker
from app.local.instance_folder import SupervisorError, running
from app.operations.adoption.adopt import (
    STARTS,
    Adoption,
    Choice,
    Start,
    adopt,
    plan,
    wait_until_stopped,
)
from app.registry import load_agents, services, wanted_topics
from app.wire.clock import now_ms

From = Annotated[
    str,
    typer.Option(
        "--from",
        help="Where to go on in a log that is not the one applied: beginning, committed or end.",
    ),
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.")]
Who = Annotated[str, typer.Option("--as", help="Who acts; the user of this terminal otherwise.")]

WithoutRows = Annotated[
    bool,
    typer.Option(
        "--without-rows",
        help="Go on with empty tables where no disk and no changelog has the rows.",
    ),
]


def adopt_logs(  # noqa: PLR0913  each is an option
    service: Annotated[list[str] | None, typer.Argument(help="Services; none: all.")] = None,
    *,
    begin: From = "",
    why: Why = "",
    who: Who = "",
    without_rows: WithoutRows = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json_too: AsJson = False,
) -> None:
    """Let SERVICE go on with logs that are not those it has applied; Payflow must be stopped."""
    service_names = service or list(services())
    if unknown := set(service_names) - set(services()):
        fail(f"no such service: {', '.join(sorted(unknown))}; there are {', '.join(services())}", 2)
    start: Start | None = next((each for each in STARTS if each == begin), None)
    if not dry_run and (start is None or not why.strip()):
        fail(f"say --from {'|'.join(STARTS)} and --reason, or --dry-run to see what there is", 2)
    if begin and start is None:
        fail(f"--from {begin}: say one of {', '.join(STARTS)}", 2)
    choice = Choice(start=start, at_s=now_ms() // 1_000, without_rows=without_rows)
    act = (choice, who or this_user(), why[:500])
    run(_adopt(service_names, act, dry_run=dry_run, as_json_too=as_json_too))


async def _adopt(
    service_names: Sequence[str], act: tuple[Choice, str, str], *, dry_run: bool, as_json_too: bool
) -> None:
    choice, who, why = act
    async with _broker(configuration()) as config:
        await ensure_topics(config, wanted_topics(config))
        if not dry_run:
            # Of none is anything adopted where workers of another still run.
            for name in service_names:
                await wait_until_stopped(config, name)
        plans = {name: await plan(config, name, _topics(name), choice) for name in service_names}
        if as_json_too:
            as_json({name: msgspec.to_builtins(each) for name, each in plans.items()})
        else:
            for name, adoptions in plans.items():
                _say(name, adoptions)
        if dry_run:
            return
        for name in plans:
            await adopt(config, name, _topics(name), choice, who, why)
            err.print(f"{name} has adopted its logs; it takes them at its next start", markup=False)


def _say(service: str, adoptions: Sequence[Adoption]) -> None:
    kept_count = sum(each.is_kept for each in adoptions)
    out.print(
        f"{service}: {kept_count} partitions are those it has applied; its tables stay as they lie"
    )
    for each in adoptions:
        if not each.is_kept:
            before = f"offset {each.committed}, in {f'log {each.was}' if each.was else 'no log'}"
            out.print(
                f"  {each.topic}/{each.partition}: log {each.now}, offsets {each.begin} to "
                f"{each.end}; committed: {'nothing' if each.committed is None else before}; goes "
                f"on at {each.offset}: {each.end - each.offset} events, without those whose ids "
                "its rows remember",
                markup=False,
                soft_wrap=True,
            )


def _topics(service: str) -> list[str]:
    agents = [agent for agent in load_agents().values() if agent.service == service]
    return sorted({topic for agent in agents for topic in consumed_topics(agent)})


@asynccontextmanager
async def _broker(config: Config) -> AsyncIterator[Config]:
    """Yield a configuration with a broker: the cluster's, or the embedded one, started for this."""
    if config.broker_url:
        yield config
        return
    try:
        running(config)
    except SupervisorError:
        started = await asyncio.to_thread(broker.start, config, err.print)
    else:
        fail(f"Payflow runs on {config.data_path}; stop it first")
    try:
        yield replace(config, broker_url=started.url)
    finally:
        await asyncio.to_thread(started.stop)
