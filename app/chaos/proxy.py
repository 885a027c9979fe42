"""A TCP proxy in front of the broker, which simulates a broken network for its clients."""

import asyncio
from contextlib import suppress

PIECE_BYTES = 1 << 16


class Proxy:
    """Passes bytes between clients and the broker while it is open."""

    def __init__(self, host: str, port: int, broker_port: int) -> None:
        self.url = f"{host}:{port}"
        self._host = host
        self._runtime = port
        self._broker_port = broker_port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Accept and pass connections from now on."""
        self._server = await asyncio.start_server(
            self._serve, self._host, self._runtime, reuse_address=True
        )

    async def shut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await asyncio.open_connection(self._host, self._broker_port)
        except OSError:
            writer.transport.abort()
            return
        writers = {writer, inner[1]}
        self._open |= writers
        try:
            await asyncio.gather(_pass(reader, inner[1]), _pass(inner[0], writer))
        finally:
            self._open -= writers
            for each in writers:
                each.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; then the other is ended too."""
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()
