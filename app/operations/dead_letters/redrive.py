"""Sends letters back to the rooms that failed, and writes every act down.

A canary goes first, alone; the rest follows at a rate. What was sent is found again on the redrive
topics themselves, so a redriver that was killed goes on where it was by being run again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
from aiokafka import AIOKafkaProducer

from app.config import Config
from app.delivery.agent import opened
from app.host.processes import Busy, hold
from app.kafka.admin import client_options
from app.kafka.producer import place_of, produce
from app.operations.dead_letters.dead_letter import (
    Letter,
    edited,
    event_id,
    redrive_id,
    sent_back,
    sha256,
)
from app.operations.dead_letters.reader import Reader, reading
from app.operations.dead_letters.status import Known, State, states
from app.wire import codecs, envelope, topics
from app.wire.envelope import Envelope
from app.wire.records import Outgoing, header, redrive_topic
from app.wire.signing import resealed, sealed
from workflows.audit import messages as words
from workflows.shared.message import Message, type_name

RATE = 50.0
"""Letters a second, unless said otherwise."""
CHUNK_SECONDS = 0.5
HANDLED_SECONDS_MAX = 120.0
"""How long a canary, or the last letters, may take to be handled."""
LOOK_SECONDS = 0.5
FRAME_BYTES_MAX = 4_000_000

Say = Callable[[str], None]


class LettersError(RuntimeError):
    """Nothing was sent, or not everything; the message says why and what to do."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, why, on what, and when (ms)."""

    who: str
    why: str
    chosen: str = ""
    """How the letters were chosen, as a person reads it."""
    at_ms: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a redrive."""

    redrive: str
    sent: int
    handled: int
    failed_again: int
    unsent: int
    """Left where they lie, because the canary failed or time ran out."""
    waiting: int
    """Sent, and not handled yet when nobody looked any longer."""


@asynccontextmanager
async def desk(config: Config) -> AsyncIterator["Desk"]:
    """Open a way to send: one redriver at a time on a data folder. Raises LettersError."""
    guard = _alone(config.data_path)
    producer = AIOKafkaProducer(
        acks="all",
        enable_idempotence=True,
        max_request_size=FRAME_BYTES_MAX,
        max_batch_size=FRAME_BYTES_MAX,
        **client_options(config),
    )
    try:
        await producer.start()
        async with AsyncExitStack() as stack:
            yield Desk(config, producer, stack)
    finally:
        await producer.stop()
        guard.close()


def _alone(folder: Path) -> IO[str]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return hold(folder / "redrive.lock")
    except Busy as error:
        text = f"letters are being sent back already: {error}. Operator: wait for it to end"
        raise LettersError(text) from error


class Desk:
    """Where letters are sent back from."""

    def __init__(self, config: Config, producer: Any, stack: AsyncExitStack) -> None:
        self._config = config
        self._producer = producer
        self._stack = stack
        self._reader: Reader | None = None

    async def look(self) -> Known:
        """Return where every letter stands now; from the second time on, only what is new is read.

        Whoever holds the desk may rely on it: what another redriver has sent is not open any more.
        """
        if self._reader is None:
            self._reader = await self._stack.enter_async_context(reading(self._config))
        return await self._reader.look()

    async def redrive(
        self, letters: Sequence[Letter], act: Act, say: Say, rate: float = RATE
    ) -> Outcome:
        """Send `letters` back in their order: a canary first, the rest at `rate` a second.

        Raises LettersError when one names a room that there is none of, or the canary fails again.
        """
        for letter in letters:
            _check_room(letter)
        about = envelope.derive_id("redrive", act.at_ms, *(letter.place for letter in letters))
        began = words.RedriveBegan(
            about=about, who=act.who, why=act.why, chosen=act.chosen, letters=len(letters)
        )
        await self._tell([self._audited(began, act)])
        first = list(letters[:1]) if len(letters) > 1 else []
        if first:
            say(f"canary: {first[0].place}")
            await self._send(first, act)
            standing = await self._until_settled(first, say)
            if standing[first[0].place] != "handled":
                outcome = _outcome(about, first, standing, unsent=len(letters) - 1)
                await self._ended(outcome, act, "the canary was not handled")
                raise LettersError(
                    f"the canary {first[0].place} is {standing[first[0].place]}: nothing else was "
                    "sent. Operator: look at the newest letter of its kind with payflow dead show."
                )
        await self._throttled(letters[len(first) :], act, say, rate)
        standing = await self._until_settled(letters, say)
        outcome = _outcome(about, letters, standing, unsent=0)
        await self._ended(outcome, act, "all were sent")
        return outcome

    async def edit(
        self, letter: Letter, body: bytes, headers: Mapping[str, str], act: Act, *, force: bool
    ) -> str:
        """Send `letter` back with other bytes under a new event id; return that id.

        Raises LettersError when the new bytes are no event either, unless `force`.
        """
        _check_room(letter)
        sent = edited(letter, self._partition(letter), body, headers)
        sent = resealed(sent, self._config.seal_key)
        if not force:
            _check_event(sent)
        await self._tell([self._audited(letter_edited(letter, body, sent, act), act), sent])
        return event_id(sent)

    async def drop(self, letters: Sequence[Letter], act: Act) -> None:
        """Say of `letters` that they need no handling any more; they stay where they lie."""
        await self._tell(
            [
                self._audited(words.LetterDropped(about=each.place, who=act.who, why=act.why), act)
                for each in letters
            ]
        )

    async def _throttled(self, letters: Sequence[Letter], act: Act, say: Say, rate: float) -> None:
        size = max(1, round(rate * CHUNK_SECONDS))
        for at in range(0, len(letters), size):
            began = time.monotonic()
            chunk = letters[at : at + size]
            await self._send(chunk, act)
            say(f"{at + len(chunk)} of {len(letters)} sent")
            if at + size < len(letters):
                await asyncio.sleep(max(0.0, began + len(chunk) / rate - time.monotonic()))

    async def _send(self, letters: Sequence[Letter], act: Act) -> None:
        acts = [
            self._audited(
                words.LetterRedriven(
                    about=letter.place,
                    who=act.who,
                    why=act.why,
                    room=letter.room,
                    redrive_id=redrive_id(letter),
                ),
                act,
            )
            for letter in letters
        ]
        await self._tell(acts)
        await self._tell([sent_back(letter, self._partition(letter)) for letter in letters])

    async def _until_settled(self, letters: Sequence[Letter], say: Say) -> dict[str, State]:
        """Return the state of every letter once none is on its way, or time is up."""
        places = [letter.place for letter in letters]
        limit = time.monotonic() + HANDLED_SECONDS_MAX
        while True:
            standing = states(await self.look())
            waiting = sum(standing[place] == "sent" for place in places)
            if not waiting or time.monotonic() > limit:
                return {place: standing[place] for place in places}
            say(f"{waiting} on their way")
            await asyncio.sleep(LOOK_SECONDS)

    async def _ended(self, outcome: Outcome, act: Act, text: str) -> None:
        word = words.RedriveEnded(
            about=outcome.redrive,
            who=act.who,
            handled=outcome.handled,
            failed_again=outcome.failed_again,
            unsent=outcome.unsent,
            outcome=text,
        )
        await self._tell([self._audited(word, act)])

    async def _tell(self, records: Sequence[Outgoing]) -> None:
        records = [sealed(each, self._config.seal_key) for each in records]
        await produce(self._producer, records, self._config)

    def _partition(self, letter: Letter) -> int:
        return place_of(redrive_topic(letter.room), letter.given.key, self._config)

    def _audited(self, word: Any, act: Act) -> Outgoing:
        """Return `word` as an event on the audit topic; the same act has the same id."""
        kind, mark = type_name(type(word)), getattr(word, "redrive_id", "")
        head = Envelope(
            id=envelope.derive_id(kind, word.about, mark),
            type=kind,
            source="/payflow/console",
            time_ms=act.at_ms,
            subject=word.about,
            correlation_id=word.about,
        )
        return Outgoing(
            topic=topics.audit.name,
            key=word.about.encode(),
            value=codecs.encode(word),
            headers=envelope.to_headers(head),
        )


def letter_edited(letter: Letter, body: bytes, sent: Outgoing, act: Act) -> words.LetterEdited:
    """Return the act of sending `letter` back as `sent`, with other bytes."""
    return words.LetterEdited(
        about=letter.place,
        who=act.who,
        why=act.why,
        room=letter.room,
        redrive_id=redrive_id(letter, body),
        event_id_before=header(letter.given, "ce_id")[:128],
        event_id=event_id(sent),
        bytes_sha256=sha256(body),
    )


def _check_room(letter: Letter) -> None:
    if letter.room not in opened:
        raise LettersError(f"{letter.place} names no room of this house: {letter.room[:80]!r}")


def _check_event(sent: Outgoing) -> Message:
    """Return the word that `sent` carries; raises LettersError when it carries none."""
    try:
        return codecs.decode(sent.value, envelope.from_headers(sent.headers), sent.key)
    except (codecs.Poison, envelope.BadEnvelope) as error:
        raise LettersError(
            f"the edited letter would fail again: {error}. Operator: mend it, or use --force."
        ) from error


def _outcome(
    about: str, sent: Sequence[Letter], standing: Mapping[str, State], unsent: int
) -> Outcome:
    found = [standing[letter.place] for letter in sent]
    return Outcome(
        redrive=about,
        sent=len(sent),
        handled=found.count("handled"),
        failed_again=found.count("again"),
        unsent=unsent,
        waiting=found.count("sent"),
    )
