"""Back-tests and trials, computed in processes of their own, one for each who asks, for a time.

They read every payment, which would block the console's event loop.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from app.config import Config, child_environment
from app.console.api.context import unavailable
from app.console.api.problems import RETRY_AFTER, Problem
from app.console.api.searches import is_proven
from app.fraud.analysis.queries import Answer, Question

QUERY_SECONDS_MAX = 60.0
FRESH_SECONDS = 60.0
"""An answer is cached for so long."""
KEPT_MAX = 8
RUNNING_MAX = 3
"""Computed at once: each keeps a core busy. Callers without a name have one, all together."""
LINE_BYTES_MAX = 8 << 20

Ask = Callable[[Question], Awaitable[Answer]]


class Queries:
    """The cached answers. Ages are seconds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._kept: dict[bytes, tuple[float, Answer]] = {}
        self._running: set[str] = set()

    async def answer(self, question: Question, identity: str) -> tuple[Answer, float]:
        """Return the answer for `identity` and its age.

        Raises Problem 429 while it has another one computed; 503: busy, time-out, or no answer.
        """
        name = msgspec.json.encode(question, order="deterministic")
        if (answer_and_age := self._fresh(name)) is not None:
            return answer_and_age
        with self._running_for(identity):
            answer = await self._ask(question)
        if answer.trouble:
            raise unavailable(answer.trouble)
        self._kept[name] = (time.monotonic(), answer)
        if len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return answer, 0.0

    @contextlib.contextmanager
    def _running_for(self, identity: str) -> Iterator[None]:
        whose = identity if is_proven(identity) else "callers who have not signed in"
        if whose in self._running:
            detail = f"another back-test or trial of {whose} is being computed; ask again"
            raise Problem(429, "Too Many Requests", detail, headers=RETRY_AFTER)
        if len(self._running) >= RUNNING_MAX:
            raise unavailable(f"{RUNNING_MAX} back-tests or trials are being computed; ask again")
        self._running.add(whose)
        try:
            yield
        finally:
            self._running.discard(whose)

    def cached(self, question: Question) -> tuple[Answer, float] | None:
        """Return the cached answer and its age, without computing one."""
        return self._fresh(msgspec.json.encode(question, order="deterministic"))

    def _fresh(self, name: bytes) -> tuple[Answer, float] | None:
        at, answer = self._kept.get(name, (0.0, None))
        age = time.monotonic() - at
        return (answer, age) if answer is not None and age < FRESH_SECONDS else None


def process_in(config: Config) -> Ask:
    """Return the function that answers a question about Payflow in a new process."""

    async def ask(question: Question) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *("nice", "-n", "10", sys.executable, "-m", "app.fraud.analysis.queries"),
            env={**child_environment(config), "PYTHONPATH": ":".join(sys.path)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES_MAX,
        )
        try:
            async with asyncio.timeout(QUERY_SECONDS_MAX):
                output, _ = await process.communicate(msgspec.json.encode(question))
            return msgspec.json.decode(output, type=Answer)
        except TimeoutError:
            detail = f"there is more than {QUERY_SECONDS_MAX:.0f} s can read: use a terminal"
            return Answer(trouble=detail)
        except msgspec.DecodeError:
            return Answer(
                trouble=f"the query process has ended with exit code {process.returncode}"
            )
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    return ask
