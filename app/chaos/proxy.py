"""A TCP proxy in front of the broker, which simulates a broken network for its clients.

It is a process of its own. On the drill's event loop, every second in which the drill itself reads
and verifies would be one in which no worker reaches the broker.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from app.config import Config, child_environment
from app.host.processes import Child

PIECE_BYTES = 1 << 16
OPEN_SECONDS_MAX = 20.0
OPEN_CHECK_SECONDS = 0.05


class Proxy:
    """Passes bytes between clients and the broker while it is open."""

    def __init__(self, config: Config, port: int, broker_port: int) -> None:
        self.url = f"{config.host}:{port}"
        self._address = (config.host, port)
        self._process = Child(
            "proxy",
            [sys.executable, "-m", "app.chaos.proxy", config.host, str(port), str(broker_port)],
            child_environment(config),
            Path(config.data_dir) / "logs" / "proxy.log",
        )

    async def open(self) -> None:
        """Accept and pass connections from now on. Raises TimeoutError when it does not start."""
        self._process.start()
        async with asyncio.timeout(OPEN_SECONDS_MAX):
            while not await self._accepts():  # noqa: ASYNC110  another process opens the port
                await asyncio.sleep(OPEN_CHECK_SECONDS)

    def shut(self) -> None:
        """Break every connection and refuse new ones."""
        self._process.kill()

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(*self._address)
        except OSError:
            return False
        writer.transport.abort()
        return True


async def _run(host: str, port: int, broker_port: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await asyncio.open_connection(host, broker_port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pass(reader, inner[1]), _pass(inner[0], writer))

    server = await asyncio.start_server(serve, host, port, reuse_address=True)
    await server.serve_forever()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; then the other is ended too."""
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
