"""Machines as they are: folders that cannot be written, IPv6, a clock that is wrong."""

import errno
import socket

import msgspec
import pytest
import typer
from structlog.testing import capture_logs

from app.cli.instance import run
from app.host.processes import free_port, url_of
from app.worker import discovery
from app.worker.discovery import Directory, Worker

WORKER = Worker(
    service="order", url="http://x:1", pid=1, at_ms=10_000_000, ready=True, partitions={}
)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """One line, not a traceback."""

    async def work() -> None:
        raise OSError(number, "not here", "/x/kafka")

    with pytest.raises(typer.Exit):
        run(work())

    said = " ".join(capsys.readouterr().err.split())
    assert "payflow: /x/kafka: not here. Operator: choose another folder" in said
    assert "PAYFLOW_DATA_DIR" in said


def test_a_site_on_ipv6_has_its_address_in_brackets() -> None:
    """So do URLs everywhere."""
    assert ("http://[::1]:80", "http://127.0.0.1:80") == (
        url_of("::1", 80),
        url_of("127.0.0.1", 80),
    )


def test_a_port_is_looked_for_where_it_is_used() -> None:
    """The same port may be free on one of IPv4 and IPv6, and taken on the other."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]

        assert port != free_port("::1", port)


@pytest.mark.parametrize(
    ("arrived_ms", "warnings"),
    [
        pytest.param(WORKER.at_ms + 2_000, 0, id="right"),
        pytest.param(WORKER.at_ms - 7_200_000, 1, id="two hours ahead"),
        pytest.param(WORKER.at_ms + 7_200_000, 1, id="two hours behind"),
        pytest.param(0, 0, id="not known"),
    ],
)
def test_a_clock_that_differs_from_the_brokers_is_named_once(
    arrived_ms: int, warnings: int
) -> None:
    """Deadlines are reckoned by it."""
    directory = Directory()
    with capture_logs() as lines:
        directory.receive(msgspec.json.encode(WORKER), arrived_ms)
        directory.receive(msgspec.json.encode(WORKER), arrived_ms)

    named = [line for line in lines if "clock" in line["event"]]
    assert warnings == len(named)
    assert all(abs(line["ahead_seconds"]) == 7_200 for line in named)
    assert discovery.CLOCK_MS_MAX < 7_200_000
