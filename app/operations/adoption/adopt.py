"""`payflow adopt`: what of a service's logs is not what it has applied, and from where to go on.

It changes nothing but the offsets of the group, and their metadata: that an operator has adopted
the log, and when. The workers do the rest at their next start (`app.worker.log_identity`).
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from app.config import Config
from app.kafka.admin import admin_client
from app.kafka.applied_logs import AppliedLog, log_of_mark, mark_of, vouches
from app.kafka.groups import commit_for, described_group, group_of
from app.kafka.logs import PlaceFacts, place_facts
from app.kafka.messages import console_record, publish
from app.kafka.reader import TopicPartition
from app.wire.clock import now_ms
from app.wire.envelope import from_headers
from app.wire.topics import partitions_of
from workflows.audit.adoption import LogsAdopted
from workflows.audit.messages import ActionUnconfirmed
from workflows.shared.errors import PayflowError

Start = Literal["beginning", "committed", "end"]
STARTS: tuple[Start, ...] = ("beginning", "committed", "end")
GROUP_SECONDS_MAX = 12.0
"""How long members of a group may linger: a worker that ended at once is a member for 8 seconds."""


class AdoptionError(PayflowError):
    """The logs cannot be adopted like that; the message says why."""


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one partition of one topic."""

    topic: str
    partition: int
    was: str
    """The log that the group has committed in; empty: none that Payflow knows."""
    now: str
    begin: int
    end: int
    committed: int | None
    is_kept: bool
    """Whether the group goes on where it is: its commit is of this very log."""
    offset: int
    epoch: int
    log: AppliedLog


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator has chosen."""

    start: Start | None
    """Where to go on in logs that are not those applied; None: from the beginning, as a preview."""
    at_s: int
    """When: the epoch of what is adopted."""
    without_rows: bool = False
    """Whether to go on by event ids alone where no table is found."""


async def plan(
    config: Config, service: str, topics: Sequence[str], choice: Choice
) -> list[Adoption]:
    """Return what `adopt` would do with each partition that `service` reads.

    Raises AdoptionError, KafkaError.
    """
    places = [
        TopicPartition(topic, partition)
        for topic in sorted(topics)
        for partition in range(partitions_of(topic, config))
    ]
    facts = await place_facts(config, group_of(service), places)
    missing = [place for place in places if place not in facts]
    if missing:
        raise AdoptionError(f"the broker has no {missing[0].topic}/{missing[0].partition}")
    return [_adoption(place, facts[place], choice) for place in places]


def _adoption(place: TopicPartition, facts: PlaceFacts, choice: Choice) -> Adoption:
    mark = log_of_mark(facts.metadata)
    is_kept = vouches(facts)
    epoch = mark.epoch if is_kept and mark is not None else choice.at_s
    before, produced = _produced(facts, mark, is_kept=is_kept)
    return Adoption(
        topic=place.topic,
        partition=place.partition,
        was=str(mark.identity) if mark is not None else "",
        now=str(facts.log.identity),
        begin=facts.begin,
        end=facts.end,
        committed=facts.committed,
        is_kept=is_kept,
        offset=_offset(place, facts, "committed" if is_kept else choice.start),
        epoch=epoch,
        log=AppliedLog(
            identity=facts.log.identity,
            epoch=epoch,
            adopted=True,
            before=before,
            produced=produced,
            stored=None if choice.without_rows else _stored(facts, mark),
        ),
    )


def _produced(
    facts: PlaceFacts, mark: AppliedLog | None, *, is_kept: bool
) -> tuple[int, int | None]:
    """Return the epoch before, and up to where all of it was produced: the rest is passed by."""
    if mark is None:
        return 0, None
    if mark.adopted:
        # Adopted once more before a worker has started: what was to be produced still is.
        return mark.before, mark.produced
    if is_kept or not mark.identity.is_same(facts.log.identity):
        # In another log, offsets count otherwise: a mirror has translated the one that it commits.
        return 0, None
    return mark.epoch, facts.committed


def _stored(facts: PlaceFacts, mark: AppliedLog | None) -> int | None:
    """Return how far rows were stored; 0: there are some, and nothing says how far."""
    if mark is not None and mark.stored is not None:
        return mark.stored
    return 0 if facts.committed else None


def _offset(place: TopicPartition, facts: PlaceFacts, start: Start | None) -> int:
    """Return where to go on. Raises AdoptionError where nothing usable is committed."""
    if start == "end":
        return facts.end
    if start != "committed":
        return facts.begin
    if facts.committed is not None and facts.begin <= facts.committed <= facts.end:
        return facts.committed
    if facts.begin == facts.end:
        return facts.begin
    committed_text = "nothing" if facts.committed is None else f"offset {facts.committed}"
    raise AdoptionError(
        f"{committed_text} is committed of {place.topic}/{place.partition}, which goes from "
        f"{facts.begin} to {facts.end}. Operator: commit where the records begin that were not "
        "applied yet, or choose --from beginning or end."
    )


async def adopt(  # noqa: PLR0913  whose logs, from where, who and why
    config: Config, service: str, topics: Sequence[str], choice: Choice, who: str, why: str
) -> list[Adoption]:
    """Write down who adopts the logs of `service` and why, then do it; return what was done.

    Where the group does not take it, that is written down too. Raises AdoptionError while workers
    of `service` run, and KafkaError.
    """
    assert choice.start is not None, "a preview is not carried out"
    # What a worker that is just ending commits must not be set back: the plan is made of what the
    # group has committed once nobody is in it.
    await wait_until_stopped(config, service)
    adoptions = await plan(config, service, topics, choice)
    changed = sorted({each.topic for each in adoptions if not each.is_kept})
    message = LogsAdopted(
        about=f"service:{service}",
        who=who,
        why=why,
        start=choice.start,
        topics=tuple(changed),
        without_rows=choice.without_rows,
    )
    at_ms = now_ms()
    await publish(config, [message], at_ms)
    offsets = {
        TopicPartition(each.topic, each.partition): (each.offset, mark_of(each.log))
        for each in adoptions
    }
    try:
        await commit_for(config, group_of(service), offsets)
    except Exception as error:
        action_id = from_headers(console_record(message, at_ms).headers).id
        failed = ActionUnconfirmed(
            about=message.about, who=who, action_id=action_id, failure=type(error).__name__
        )
        await publish(config, [failed], now_ms())
        raise
    return adoptions


async def wait_until_stopped(config: Config, service: str) -> None:
    """Wait until no worker is in the group of `service`. Raises AdoptionError while some are."""
    limit = time.monotonic() + GROUP_SECONDS_MAX
    async with admin_client(config) as admin:
        while True:
            members = (await described_group(admin, group_of(service)))[5]
            if not members:
                return
            if time.monotonic() > limit:
                raise AdoptionError(
                    f"{len(members)} workers of {service} run. Operator: stop Payflow first."
                )
            await asyncio.sleep(0.5)
