"""Redrives dead letters to the agents that failed, and audits every action.

A canary goes first, alone; the rest follows at a rate. Records that were sent are found on the
redrive topics themselves, so a redrive that was killed continues when it is run again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, ClassVar

from msgspec.structs import replace

from app.config import Config
from app.delivery.agent import registered
from app.host.processes import Busy, hold
from app.kafka.producer import AIOKafkaProducer, open_producer, place_of, produce_signed
from app.operations.dead_letters.audit_records import (
    Action,
    audited,
    dead_letter_edited,
    dead_letter_redriven,
)
from app.operations.dead_letters.dead_letter import (
    DeadLetter,
    Edit,
    edit_id,
    edited,
    objection_to_headers,
    sent_back,
)
from app.operations.dead_letters.edit_limit import EditLimit, TakesTwoPeople
from app.operations.dead_letters.reader import Reader, reading
from app.operations.dead_letters.status import DeadLetterFacts, Outcome, State, outcome_of, states
from app.operations.dead_letters.strangers import unclaimed
from app.wire import codecs
from app.wire.byte_limits import DEAD_LETTER_BYTES_MAX, DEAD_LETTER_TOPIC_BYTES_MAX
from app.wire.envelope import Undecodable, derive_id, from_headers
from app.wire.personal import masked_detail
from app.wire.records import Outgoing, event_id, size_of
from app.wire.signing import signed_again
from app.wire.topics import redrive_topic
from workflows.audit import dead_letter_actions as messages
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.message import Message

RATE = 50.0
"""Dead letters per second, unless said otherwise."""
CHUNK_SECONDS = 0.5
HANDLED_SECONDS_MAX = 120.0
"""How long a canary, or the last dead letters, may take to be handled."""
CHECK_SECONDS = 0.5

Say = Callable[[str], None]


class DeadLetterError(PayflowError):
    """Nothing was sent, or not all; the message says why and what to do."""

    kind: ClassVar[ErrorKind] = "conflict"


@asynccontextmanager
async def redriver(config: Config) -> AsyncIterator["Redriver"]:
    """Open a redriver: one at a time on a data folder. Raises DeadLetterError."""
    lock = _alone(config.data_path)
    try:
        async with (
            open_producer(
                config,
                max_request_size=DEAD_LETTER_TOPIC_BYTES_MAX,
                max_batch_size=DEAD_LETTER_TOPIC_BYTES_MAX,
            ) as producer,
            AsyncExitStack() as stack,
        ):
            yield Redriver(config, producer, stack)
    finally:
        lock.close()


def _alone(folder: Path) -> IO[str]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return hold(folder / "redrive.lock")
    except Busy as error:
        text = f"dead letters are being sent back already: {error}. Operator: wait for it to end"
        raise DeadLetterError(text) from error


class Redriver:
    """Redrives, edits and discards dead letters."""

    def __init__(self, config: Config, producer: AIOKafkaProducer, stack: AsyncExitStack) -> None:
        self._config = config
        self._producer = producer
        self._stack = stack
        self._reader: Reader | None = None

    async def read_status(self) -> DeadLetterFacts:
        """Return the status of every dead letter.

        From the second time on, only what is new is read.

        The caller holds the lock of the data folder, so no other redriver sends the same ones
        meanwhile.
        """
        if self._reader is None:
            self._reader = await self._stack.enter_async_context(reading(self._config))
        return await self._reader.read_status()

    async def redrive(
        self, dead_letters: Sequence[DeadLetter], action: Action, say: Say, rate: float = RATE
    ) -> Outcome:
        """Send `dead_letters` back in their order: a canary first, the rest at `rate` per second.

        Raises DeadLetterError when one names an unknown agent, or the canary fails again.
        """
        for dead_letter in dead_letters:
            _check_agent(dead_letter)
        about = derive_id(
            "redrive", action.at_ms, *(dead_letter.place for dead_letter in dead_letters)
        )
        began = messages.RedriveBegan(
            about=about,
            who=action.who,
            why=action.why,
            chosen=action.chosen,
            dead_letters=len(dead_letters),
        )
        await self._publish([audited(began, action)])
        first = list(dead_letters[:1]) if len(dead_letters) > 1 else []
        if first:
            say(f"canary: {first[0].place}")
            await self._send(first, action)
            statuses = await self._until_handled(first, say)
            if statuses[first[0].place] != "handled":
                outcome = outcome_of(about, first, statuses, unsent=len(dead_letters) - 1)
                await self._ended(outcome, action, "the canary was not handled")
                raise DeadLetterError(
                    f"the canary {first[0].place} is {statuses[first[0].place]}: nothing else was "
                    "sent. Operator: read its newest dead letter with payflow dead show."
                )
        await self._throttled(dead_letters[len(first) :], action, say, rate)
        statuses = await self._until_handled(dead_letters, say)
        outcome = outcome_of(about, dead_letters, statuses, unsent=0)
        await self._ended(outcome, action, "all were sent")
        return outcome

    async def edit(
        self,
        dead_letter: DeadLetter,
        edit: Edit,
        action: Action,
        *,
        limit: EditLimit,
        proposed_by: str = "",
    ) -> str:
        """Redrive `dead_letter` with other bytes under a new event id; return that id.

        `proposed_by`: who has proposed the same, where somebody has. Raises DeadLetterError for
        headers that are ours, when the new bytes are not an event either, unless forced, and when
        no topic takes them, and TakesTwoPeople where `limit` does and nobody else has proposed it.
        """
        _check_agent(dead_letter)
        if refused := objection_to_headers(edit.headers):
            raise DeadLetterError(refused)
        secret, sent = self._config.signing_key, self._edited(dead_letter, edit)
        _check_size(signed_again(sent, secret))
        try:
            message = _event_of(sent)
        except DeadLetterError:
            if not edit.force:
                raise
            # It fails again. No signature: a later version may read an event in these bytes.
            worth_minor = 0
        else:
            objection = "" if proposed_by else limit.objection(dead_letter, message, edit.headers)
            if objection:
                raise TakesTwoPeople(objection)
            worth_minor = limit.worth_minor(message) or 0
            edit = unclaimed(dead_letter, edit, message, self._config)
            sent = signed_again(self._edited(dead_letter, edit), secret)
            _check_size(sent)
        event = dead_letter_edited(dead_letter, edit.body, sent, action, secret)
        event = replace(event, proposed_by=proposed_by, worth_minor=worth_minor)
        await self._publish([audited(event, action)])
        await self._publish([sent])
        return event_id(sent)

    async def propose(self, dead_letter: DeadLetter, edit: Edit, action: Action) -> None:
        """Say in the audit that somebody wants this edit, which takes another person as well."""
        message = messages.DeadLetterEditProposed(
            about=dead_letter.place,
            who=action.who,
            why=action.why,
            edit_id=edit_id(dead_letter, edit, self._config.signing_key),
        )
        await self._publish([audited(message, action)])

    async def discard(self, dead_letters: Sequence[DeadLetter], action: Action) -> None:
        """Mark `dead_letters` as discarded: they need no handling, and stay on their topic."""
        await self._publish(
            [
                audited(
                    messages.DeadLetterDiscarded(about=each.place, who=action.who, why=action.why),
                    action,
                )
                for each in dead_letters
            ]
        )

    async def _throttled(
        self, dead_letters: Sequence[DeadLetter], action: Action, say: Say, rate: float
    ) -> None:
        size = max(1, round(rate * CHUNK_SECONDS))
        for at in range(0, len(dead_letters), size):
            began = time.monotonic()
            chunk = dead_letters[at : at + size]
            await self._send(chunk, action)
            say(f"{at + len(chunk)} of {len(dead_letters)} sent")
            if at + size < len(dead_letters):
                await asyncio.sleep(max(0.0, began + len(chunk) / rate - time.monotonic()))

    async def _send(self, dead_letters: Sequence[DeadLetter], action: Action) -> None:
        actions = [
            audited(dead_letter_redriven(dead_letter, action), action)
            for dead_letter in dead_letters
        ]
        await self._publish(actions)
        await self._publish(
            [sent_back(dead_letter, self._partition(dead_letter)) for dead_letter in dead_letters]
        )

    async def _until_handled(
        self, dead_letters: Sequence[DeadLetter], say: Say
    ) -> dict[str, State]:
        """Return the status of every dead letter once none is being handled, or time is up."""
        places = [dead_letter.place for dead_letter in dead_letters]
        limit = time.monotonic() + HANDLED_SECONDS_MAX
        while True:
            statuses = states(await self.read_status())
            waiting = sum(statuses[place] == "sent" for place in places)
            if not waiting or time.monotonic() > limit:
                return {place: statuses[place] for place in places}
            say(f"{waiting} on their way")
            await asyncio.sleep(CHECK_SECONDS)

    async def _ended(self, outcome: Outcome, action: Action, text: str) -> None:
        message = messages.RedriveEnded(
            about=outcome.redrive,
            who=action.who,
            handled=outcome.handled,
            failed_again=outcome.failed_again,
            unsent=outcome.unsent,
            outcome=text,
        )
        await self._publish([audited(message, action)])

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        await produce_signed(self._producer, records, self._config)

    def _edited(self, dead_letter: DeadLetter, edit: Edit) -> Outgoing:
        partition, secret = self._partition(dead_letter), self._config.signing_key
        return edited(dead_letter, partition, edit.body, edit.headers, secret)

    def _partition(self, dead_letter: DeadLetter) -> int:
        return place_of(redrive_topic(dead_letter.agent), dead_letter.record.key, self._config)


def _check_agent(dead_letter: DeadLetter) -> None:
    if dead_letter.agent not in registered:
        raise DeadLetterError(
            f"{dead_letter.place} names no agent of this instance: {dead_letter.agent[:80]!r}"
        )


def _event_of(sent: Outgoing) -> Message:
    """Return the message that `sent` carries; raises DeadLetterError when it carries none."""
    try:
        return codecs.decode(sent.value, from_headers(sent.headers), sent.key)
    except Undecodable as error:
        raise DeadLetterError(
            f"the edited body would fail again: {masked_detail(str(error))}. "
            "Operator: repair it, or use --force."
        ) from error


def _check_size(sent: Outgoing) -> None:
    """Raise DeadLetterError where `sent` is longer than a record that could fail again whole."""
    size = size_of(sent)
    if size > DEAD_LETTER_BYTES_MAX:
        raise DeadLetterError(
            f"the edited record has {size:,} bytes, at most {DEAD_LETTER_BYTES_MAX:,} are sent back"
        )
