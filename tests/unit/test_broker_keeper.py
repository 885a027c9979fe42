"""The embedded broker comes back where its clients know it, once its folder has space."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.config import Config
from app.host import processes
from app.host.processes import full_folder
from app.local import broker_files, broker_keeper
from app.local.broker_keeper import BrokerKeeper
from app.local.broker_lock import BrokerError


class FakeBroker:
    """A process that ends when it is asked to."""

    def __init__(self, port: int) -> None:
        self.url = f"127.0.0.1:{port}"
        self.running = True

    def reason(self) -> str:
        return "its folder is full"

    def stop(self) -> None:
        self.running = False


class Machine:
    """Starts brokers: each answer is a port, or what goes wrong."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.brokers: list[FakeBroker] = []
        self.wanted_ports: list[int] = []

    def start(self, config: Config, _log: object) -> Any:
        self.wanted_ports.append(config.broker_port)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.brokers.append(FakeBroker(answer))
        return self.brokers[-1]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  what happens in a thread is not an event
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and wait for nothing."""
    monkeypatch.setattr(broker_keeper, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(broker_keeper, "wait_seconds", lambda _: 0.0)


@pytest.mark.parametrize(
    ("between", "further_lines"),
    [
        pytest.param([], [], id="at once"),
        pytest.param(
            [BrokerError("the log\nis broken")],
            ["the broker did not start: the log is broken"],
            id="after a start that failed",
        ),
        pytest.param(
            [7],
            ["the broker's port 9 is taken by another process; it waits for it"],
            id="after its port was taken meanwhile",
        ),
    ],
)
async def test_a_broker_that_ended_comes_back_at_its_address(
    between: list[int | Exception], further_lines: list[str], tmp_path: Path
) -> None:
    """Workers know no other one."""
    machine, lines = Machine(9, *between, 9), list[str]()
    keeper = BrokerKeeper(Config(data_dir=str(tmp_path)), lines.append, machine.start)
    url = await keeper.start()
    machine.brokers[0].stop()
    await until(lambda: not machine.answers and machine.brokers[-1].url == url)
    await keeper.stop()

    assert ["the broker ended: its folder is full; it is started again", *further_lines] == lines
    assert [19_092, 9] == [machine.wanted_ports[0], machine.wanted_ports[-1]]
    assert not any(each.running for each in machine.brokers)


async def test_a_broker_waits_for_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end again at once."""
    full, machine = ["full"], Machine(9, 9)
    checks: list[str] = []

    def check(_folder: Path) -> str:
        checks.append(full[0])
        return full[0]

    monkeypatch.setattr(broker_keeper, "full_folder", check)
    keeper = BrokerKeeper(Config(data_dir=str(tmp_path)), lambda _: None, machine.start)
    await keeper.start()
    machine.brokers[0].stop()
    await until(lambda: len(checks) > 2)
    waited = len(machine.brokers)
    full[0] = ""
    await until(lambda: len(machine.brokers) == 2)
    await keeper.stop()

    assert 1 == waited


class Disk:
    """What `statvfs` says."""

    def __init__(self, free: int, files: int, files_free: int) -> None:
        self.f_frsize, self.f_bavail, self.f_files, self.f_favail = 1024, free, files, files_free


@pytest.mark.parametrize(
    ("disk", "full"),
    [
        pytest.param(Disk(100_000, 10, 5), False, id="has space"),
        pytest.param(Disk(100, 10, 5), True, id="has none"),
        pytest.param(Disk(100_000, 10, 0), True, id="takes no further file"),
        pytest.param(Disk(100_000, 0, 0), False, id="counts no files"),
    ],
)
def test_a_full_folder_is_named(disk: Disk, full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    monkeypatch.setattr(processes.os, "statvfs", lambda _: disk)

    assert full == full_folder(Path("/x")).startswith("/x is full")


def test_a_folder_that_is_not_there_is_not_full(tmp_path: Path) -> None:
    """Nothing can be said of it."""
    assert "" == full_folder(tmp_path / "none")


@pytest.mark.parametrize(
    ("log_text", "error"),
    [
        pytest.param(
            "[x] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)\n"
            "java.io.IOException: No space left on device\n\tat sun.nio.Write(Native)\n",
            "java.io.IOException: No space left on device",
            id="a trace",
        ),
        pytest.param("one\n\ntwo\n", "two", id="no error"),
        pytest.param("", "its log says nothing", id="nothing"),
    ],
)
def test_the_last_error_of_the_brokers_log_is_one_line(log_text: str, error: str) -> None:
    """Its frames follow it."""
    assert error == broker_files.last_error(log_text)
