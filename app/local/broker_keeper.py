"""The embedded broker of one instance, started again when it has ended.

Kafka ends itself when its folder is full. Its clients know its address, so it comes back there.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from app.config import Config
from app.host.processes import full_folder, wait_seconds
from app.local import broker
from workflows.shared.errors import PayflowError

CHECK_SECONDS = 0.2

Start = Callable[[Config, Callable[[str], None]], broker.Broker]


class BrokerKeeper:
    """Starts the broker of `config`, and keeps it running until `stop`."""

    def __init__(
        self, config: Config, say: Callable[[str], None], start: Start = broker.start
    ) -> None:
        self._config = config
        self._say = say
        self._start = start
        self._broker: broker.Broker | None = None
        self._starting: asyncio.Task[broker.Broker] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Start the broker; return its address. Raises as `broker.start` does."""
        self._broker = await asyncio.to_thread(self._start, self._config, self._say)
        self._watching = asyncio.create_task(self._watch(self._broker.url))
        return self._broker.url

    async def _watch(self, url: str) -> None:
        failures = 0
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._broker is None or not self._broker.running:
                if failures == 0 and self._broker is not None:
                    self._say(f"the broker ended: {self._broker.reason()}; it is started again")
                await asyncio.sleep(wait_seconds(failures))
                failures = 0 if await self._started_at(url) else failures + 1

    async def _started_at(self, url: str) -> bool:
        """Start the broker again; return whether it answers at `url`."""
        if full_folder(self._config.data_path):
            return False
        port = int(url.rpartition(":")[2])
        config = replace(self._config, broker_port=port)
        self._starting = asyncio.create_task(asyncio.to_thread(self._start, config, self._say))
        try:
            new_broker = await asyncio.shield(self._starting)
        except (PayflowError, OSError) as error:
            self._say(f"the broker did not start: {' '.join(str(error).split())}")
            return False
        self._broker, self._starting = new_broker, None
        if new_broker.url != url:
            self._say(f"the broker's port {port} is taken by another process; it waits for it")
            await asyncio.to_thread(new_broker.stop)
            return False
        return True

    async def stop(self) -> None:
        """Stop the broker, also one that is being started."""
        if self._watching is not None:
            self._watching.cancel()
        if self._starting is not None:
            with suppress(PayflowError, OSError):
                self._broker = await self._starting
        if self._broker is not None:
            await asyncio.to_thread(self._broker.stop)
