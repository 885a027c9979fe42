"""The search processes of a console or a command: one is kept warm, and one that fails replaced."""

import asyncio
import contextlib
import os
import signal
import struct
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import IO, Protocol, Self

import msgspec
from msgspec.structs import replace

from app.config import Config, child_environment
from app.kafka.errors import InspectionError
from app.operations.search import search_process
from app.operations.search.query import BadTerm
from app.operations.search.question import (
    LENGTH,
    Begun,
    Question,
    Refused,
    decode_answer,
    framed,
    next_frame,
)
from app.operations.search.scan_events import Done, Event

SILENT_SECONDS_MAX = 60.0
"""A scan says how far it is twice a second, or ends after 30 s in which nothing comes."""
IDLE_MAX = 2
"""Processes that wait for the next search; of more that come free the others end."""

Answers = AsyncGenerator[Begun | Event]


class Asked(Protocol):
    """What answers questions one after another."""

    @property
    def usable(self) -> bool:
        """Return whether it can be asked again."""
        ...

    def ask(self, question: Question) -> Answers:
        """Yield Begun, then events, the last of them Done. Raises BadTerm, InspectionError."""
        ...

    async def kill(self) -> None:
        """End it."""
        ...


class SearchProcess:
    """One process of `app.operations.search.search_process`."""

    def __init__(self, process: asyncio.subprocess.Process, last_answer: IO[bytes]) -> None:
        self._process = process
        self._last_answer = last_answer
        self._asking = False

    @classmethod
    async def start(cls, config: Config, program: str = search_process.__name__) -> Self:
        """Return a new process, which may not be ready yet; `program` is the module it runs."""
        last_answer = tempfile.TemporaryFile()  # noqa: SIM115  it is open as long as the process
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", program),
            str(last_answer.fileno()),
            env={**child_environment(config), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(last_answer.fileno(),),
            # Ctrl-C in a terminal is for the command, which ends it.
            start_new_session=True,
        )
        return cls(process, last_answer)

    @property
    def usable(self) -> bool:
        """Return whether it can be asked: it lives, and the question before is answered."""
        return self._process.returncode is None and not self._asking

    async def ask(self, question: Question) -> Answers:
        """Yield Begun, then events, the last of them Done. Raises BadTerm, InspectionError."""
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        self._asking = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # One that has ended meanwhile says so by the end of its answers.
            self._process.stdin.write(framed(question))
            await self._process.stdin.drain()
        while True:
            async with asyncio.timeout(SILENT_SECONDS_MAX):
                data = await next_frame(self._process.stdout)
            if data is None:
                yield await self._after_its_end()
                return
            answer = decode_answer(data)
            if isinstance(answer, Refused):
                self._asking = False
                raise answer.error()
            if isinstance(answer, Done):
                self._asking = False
            yield answer
            if isinstance(answer, Done):
                return

    def stop(self) -> None:
        """Let it end the search that is running, with Done."""
        if self._process.returncode is None:
            self._process.terminate()

    async def kill(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        # It closes the pipes too, after what is left in them.
        await self._process.communicate()
        self._last_answer.close()

    async def _after_its_end(self) -> Done:
        """Return the answer that it has left. Raises BadTerm, InspectionError where there is none.

        It was ended by the kernel, at the limit of the processor or of the memory.
        """
        code = await self._process.wait()
        slow = code == -signal.SIGPROF
        why = (
            f"takes more than {search_process.RECORD_SECONDS_MAX:g} s"
            if slow
            else "takes too much memory"
        )
        done = self._left()
        if done is not None:
            error = f"one record {why}: the search ended there; go on behind it"
            return replace(done, errors=done.errors + 1, error=error)
        if slow:
            raise BadTerm(f"cel: reading the expression {why}", "cel")
        raise InspectionError(f"the search process has ended with exit code {code}; search again")

    def _left(self) -> Done | None:
        file = self._last_answer.fileno()
        try:
            [length] = LENGTH.unpack(os.pread(file, LENGTH.size, 0))
            return msgspec.json.decode(os.pread(file, length, LENGTH.size), type=Done)
        except (struct.error, msgspec.DecodeError):
            return None


class ProcessPool:
    """Search processes: each search has one for itself, and leaves it to the next."""

    def __init__(
        self,
        config: Config,
        start: Callable[[Config], Awaitable[Asked]] = SearchProcess.start,
    ) -> None:
        self._config = config
        self._start = start
        self._idle: list[Asked] = []
        self._starting: asyncio.Task[None] | None = None
        self._closed = False

    async def search(self, question: Question) -> Answers:
        """Yield Begun, then events, the last of them Done. Raises BadTerm, InspectionError."""
        process = await self._take()
        try:
            async with aclosing(process.ask(question)) as answers:
                async for each in answers:
                    yield each
        except TimeoutError as error:
            raise InspectionError("the search says nothing any more; search again") from error
        finally:
            if process.usable and len(self._idle) < IDLE_MAX and not self._closed:
                self._idle.append(process)
            else:
                await process.kill()
                self.warm()

    def warm(self) -> None:
        """Begin to start a process where none waits: a start takes seconds, and a search few."""
        starting = self._starting is not None and not self._starting.done()
        if not self._idle and not starting and not self._closed:
            self._starting = asyncio.create_task(self._start_one())

    async def _start_one(self) -> None:
        self._idle.append(await self._start(self._config))

    async def _take(self) -> Asked:
        if not self._idle and self._starting is not None:
            await asyncio.wait({self._starting})
        while self._idle:
            process = self._idle.pop()
            if process.usable:
                return process
            await process.kill()
        return await self._start(self._config)

    async def close(self) -> None:
        """End the processes that wait, and let no other wait."""
        self._closed = True
        if self._starting is not None:
            await asyncio.wait({self._starting})
        while self._idle:
            await self._idle.pop().kill()
