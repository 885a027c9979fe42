"""The proxy of a drill passes bytes whatever the drill does, and breaks all connections at once."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chaos.proxy import Proxy
from app.config import Config
from app.host.processes import free_port

HOST = "127.0.0.1"
SECONDS_MAX = 20.0


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a broker that answers with what it is sent."""
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        while piece := connection.recv(100):
            connection.sendall(piece)


async def test_bytes_pass_while_the_drill_is_busy(echo: int, tmp_path: Path) -> None:
    """This test blocks its event loop, as a drill does that reads a hundred thousand records."""
    proxy = Proxy(Config(data_dir=str(tmp_path)), free_port(HOST, 0), echo)
    await proxy.open()
    try:
        host, _, port = proxy.url.rpartition(":")
        with socket.create_connection((host, int(port)), SECONDS_MAX) as client:
            client.sendall(b"heartbeat")
            answered = client.recv(100)
            proxy.shut()
            broken = _is_broken(client)
    finally:
        proxy.shut()

    assert (b"heartbeat", True) == (answered, broken)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), SECONDS_MAX)


def _is_broken(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True
