"""Ends a worker that makes no progress. A thread checks it, since a stuck event loop cannot.

A worker needs to make progress only while there is something to do. The watchdog asks the broker
for the lag, with a client of its own, so that a consumer that hangs cannot hide it. While the
broker does not answer, it concludes nothing.
"""

import asyncio
import faulthandler
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

import structlog

from app.config import Config
from app.host.exit import EXIT_STALLED, hard_stop, say
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, reader
from app.worker.stall import CHECK_SECONDS, AgentProgress, Bounds, Place, Signs, Stall, has_records

ASK_SECONDS = 5.0
"""How often the broker is asked how much there is to do, and how long it may take to answer."""
FIRST_RECORD_SECONDS = 15.0
"""How long it may take to read the first record that an agent has to do."""
TASKS_SHOWN_MAX = 200

log = structlog.get_logger(__name__)


class WatchedAgent(Protocol):
    """An agent at work."""

    def signs(self, assigned: Collection[Any]) -> AgentProgress:
        """Return what it shows of itself on the partitions `assigned`."""
        ...


class WatchedApp(Protocol):
    """A worker's Faust application."""

    def flows(self) -> bool:
        """Return whether events flow."""
        ...

    def assigned(self) -> Collection[Any]:
        """Return the partitions that are read here."""
        ...

    def recovered_at(self) -> float | None:
        """Return when the latest record of a changelog was recovered, or None."""
        ...


class Watchdog:
    """Checks one worker from a thread of its own, and ends it when it makes no progress."""

    def __init__(self, app: WatchedApp, agents: Sequence[WatchedAgent], config: Config) -> None:
        self._app = app
        self._agents = agents
        self._config = config
        self._stall = Stall(config.stall_seconds)
        self._signs: Signs | None = None
        self._asked = False
        self._bounds: Bounds | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Watch the event loop of the caller until it is closed."""
        self._loop = asyncio.get_running_loop()
        self._note_progress()
        thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        thread.start()

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        asking = asyncio.create_task(self._ask())
        while self._ask_for_signs():
            # Code in C that never releases the GIL stops this thread too.
            faulthandler.dump_traceback_later(2 * self._config.stall_seconds, file=2, exit=True)
            await asyncio.sleep(CHECK_SECONDS)
            signs = self._signs
            if signs is not None:
                reason = self._stall.conclude(time.monotonic(), signs, self._bounds)
                if reason and await self._has_records(signs):
                    self._end(reason)
        faulthandler.cancel_dump_traceback_later()
        asking.cancel()

    async def _has_records(self, signs: Signs) -> bool:
        """Return whether the part that is still has records to do; clear it when it has none.

        An end of a topic behind what an agent has done may be nothing but markers and holes.
        """
        part = self._stall.part()
        agent = next((each for each in signs.agents if part == f"agent {each.name}"), None)
        if agent is None:
            return True
        try:
            async with asyncio.timeout(FIRST_RECORD_SECONDS), reader(self._config) as consumer:
                waiting = await has_records(consumer, agent, self._bounds or {})
        except Exception as error:  # noqa: BLE001  whatever it is: the broker did not answer
            log.warning("standstill not proven", part=part, error=repr(error))
            waiting = False
        if not waiting:
            self._stall.clear(part)
        return waiting

    def _ask_for_signs(self) -> bool:
        """Have the worker's loop note its progress; return whether there is a loop at all."""
        assert self._loop is not None
        if self._asked:
            return True
        self._asked = True
        try:
            self._loop.call_soon_threadsafe(self._note_progress)
        except RuntimeError:
            return False
        return True

    def _note_progress(self) -> None:
        """Note the progress: called on the worker's own loop, which owns the state it reads."""
        self._asked = False
        assigned = self._app.assigned()
        self._signs = Signs(
            noted_at=time.monotonic(),
            flows=self._app.flows(),
            recovered_at=self._app.recovered_at(),
            agents=tuple(agent.signs(assigned) for agent in self._agents),
        )

    async def _ask(self) -> None:
        """Ask the broker for the bounds of what is read here, for ever."""
        pause = min(ASK_SECONDS, self._config.stall_seconds / 3)
        while True:
            try:
                async with reader(self._config) as client:
                    while True:
                        async with asyncio.timeout(ASK_SECONDS):
                            self._bounds = await _bounds(client, self._places())
                        await asyncio.sleep(pause)
            except Exception as error:  # noqa: BLE001  whatever it is: the broker gave no answer
                self._bounds = None
                log.debug("the watchdog has no answer", error=repr(error))
            await asyncio.sleep(pause)

    def _places(self) -> list[Place]:
        agents = self._signs.agents if self._signs is not None else ()
        return [place for agent in agents for place in agent.done]

    def _end(self, reason: str) -> None:
        hard_stop(
            f"{reason}. Operator: it is to be started again; the stacks above say where it hangs.",
            EXIT_STALLED,
            self._show_stacks,
        )

    def _show_stacks(self) -> None:
        assert self._loop is not None
        faulthandler.dump_traceback(file=2, all_threads=True)
        for task in list(asyncio.all_tasks(self._loop))[:TASKS_SHOWN_MAX]:
            say(f"task {task.get_name()}: {' > '.join(_frames(task.get_coro()))}")


def _frames(waits: object) -> Iterator[str]:
    """Yield the frame of each coroutine that one waits for, the outermost first."""
    while waits is not None:
        frame = next((getattr(waits, name) for name in _FRAMES if getattr(waits, name, None)), None)
        if frame is not None:
            code = frame.f_code
            yield f"{code.co_filename.rpartition('/')[2]}:{frame.f_lineno} {code.co_name}"
        waits = next((getattr(waits, name) for name in _PENDING if hasattr(waits, name)), None)


_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_PENDING = ("cr_await", "gi_yieldfrom", "ag_await")


async def _bounds(client: AIOKafkaConsumer, places: Sequence[Place]) -> Bounds:
    """Return the bounds of `places`; the broker is asked something even when there are none."""
    if not places:
        await client.topics()
        return {}
    partitions = [TopicPartition(*place) for place in places]
    begins = await client.beginning_offsets(partitions)
    ends = await client.end_offsets(partitions)
    return {(tp.topic, tp.partition): (begins[tp], ends[tp]) for tp in partitions}
