"""Back-tests and trials, computed in a process of their own, one at a time, with a time limit.

They read every payment, which would block the console's event loop.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec

from app.config import Config, child_environment
from app.console.api.context import unavailable
from app.fraud.analysis.queries import Answer, Question

QUERY_SECONDS_MAX = 60.0
FRESH_SECONDS = 60.0
"""An answer is cached for so long."""
KEPT_MAX = 8
LINE_BYTES_MAX = 8 << 20

Ask = Callable[[Question], Awaitable[Answer]]


class Queries:
    """The cached answers. Ages are seconds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._kept: dict[bytes, tuple[float, Answer]] = {}
        self._busy = asyncio.Lock()

    async def answer(self, asked: Question) -> tuple[Answer, float]:
        """Return the answer and its age. Raises Problem 503: busy, time-out, or no answer."""
        name = msgspec.json.encode(asked, order="deterministic")
        if (kept := self._fresh(name)) is not None:
            return kept
        if self._busy.locked():
            raise unavailable("another back-test or trial is being computed; ask again")
        async with self._busy:
            found = await self._ask(asked)
        if found.trouble:
            raise unavailable(found.trouble)
        self._kept[name] = (time.monotonic(), found)
        if len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return found, 0.0

    def known(self, asked: Question) -> tuple[Answer, float] | None:
        """Return the cached answer and its age, without computing one."""
        return self._fresh(msgspec.json.encode(asked, order="deterministic"))

    def _fresh(self, name: bytes) -> tuple[Answer, float] | None:
        at, found = self._kept.get(name, (0.0, None))
        age = time.monotonic() - at
        return (found, age) if found is not None and age < FRESH_SECONDS else None


def process_in(config: Config) -> Ask:
    """Return the function that answers a question about Payflow in a new process."""

    async def ask(asked: Question) -> Answer:
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
                said, _ = await process.communicate(msgspec.json.encode(asked))
            return msgspec.json.decode(said, type=Answer)
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
