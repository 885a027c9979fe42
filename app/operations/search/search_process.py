"""The process in which searches run, one at a time: it may be killed, since it changes nothing.

An expression cannot be interrupted: it runs in a library that holds the interpreter. So the kernel
ends this process where one record takes too much of the processor (ITIMER_PROF). Before each record
the answer for that case is written to a file, where the console finds it.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from app.config import Config, current
from app.kafka.reader import places_of, reader
from app.operations.search.question import (
    LENGTH,
    REFUSED,
    Answer,
    Begun,
    Question,
    decode_question,
    framed,
    next_frame,
    refused,
)
from app.operations.search.scan import RecordLimit, never, scan
from app.operations.search.scan_events import Done
from app.operations.search.starts import places_to_read
from app.registry import load_agents
from app.wire.personal import personal_names

RECORD_SECONDS_MAX = 1.0
"""Time of the processor for one record, and for reading an expression."""
ALLOCATED_BYTES_MAX = 1 << 30
"""What a search may allocate: an expression can build lists and texts of any length."""
NICE = 10
"""Searches make way for the processes that handle orders."""


class ProcessorLimit:
    """Ends this process where a record takes more than RECORD_SECONDS_MAX of the processor."""

    def __init__(self, last_answer: int) -> None:
        """`last_answer` is the file that holds the answer for that case."""
        self._file = last_answer
        signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def begin(self, done: Callable[[], Done] | None) -> None:
        """Begin to count; without `done` nothing has been read yet."""
        data = b"" if done is None else msgspec.json.encode(done())
        os.pwrite(self._file, LENGTH.pack(len(data)) + data, 0)
        signal.setitimer(signal.ITIMER_PROF, RECORD_SECONDS_MAX)

    def end(self) -> None:
        """Count no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)


async def answers(
    config: Config,
    question: Question,
    limit: RecordLimit,
    stopped: Callable[[], bool] = never,
) -> AsyncGenerator[Answer]:
    """Yield Begun and the events of a scan, or Refused."""
    try:
        request = question.request()
        limit.end()
        places = await places_of(config, question.topic)
        places_to_read(places, request.start)
        yield Begun()
        async with reader(config) as consumer:
            events = scan(consumer, places, request, stopped, limit=limit)
            async with aclosing(events):
                async for event in events:
                    yield event
    except REFUSED as error:
        limit.end()
        yield refused(error)


async def serve(config: Config, last_answer: int, emit: Callable[[bytes], object]) -> None:
    """Answer questions from stdin until it ends; SIGTERM ends the search that is running."""
    load_agents()  # an agent may declare topics and messages of its own
    personal_names()
    limit = ProcessorLimit(last_answer)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(questions), sys.stdin
    )
    while (data := await next_frame(questions)) is not None:
        stopped.clear()
        limit.begin(None)
        async for each in answers(config, decode_question(data), limit, stopped.is_set):
            emit(framed(each))


def main() -> None:
    """Run the process: its argument is the number of the file for the last answer."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (ALLOCATED_BYTES_MAX, ALLOCATED_BYTES_MAX))
    os.nice(NICE)
    # What a library prints must not stand between frames.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0) as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        try:
            asyncio.run(serve(current(), int(sys.argv[1]), out.write))
        except BrokenPipeError:
            # Whoever asked has ended.
            sys.exit(0)


if __name__ == "__main__":
    main()
