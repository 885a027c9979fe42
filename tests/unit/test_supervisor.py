"""The supervisor: one instance a folder, names that exist, ports that are free."""

import asyncio
import fcntl
import os
import sys
from pathlib import Path

import msgspec
import pytest

from app.config import Config
from app.local.instance_folder import Running, SupervisorError, running, worker_url
from app.local.supervisor import Supervisor


async def test_a_second_instance_on_one_folder_is_refused(tmp_path: Path) -> None:
    """The message names the folder and the process that holds it."""
    lock = tmp_path / "up.lock"
    lock.write_text("4711")
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(SupervisorError, match=r"in use by process 4711.*PAYFLOW_DATA_DIR"):
            async with Supervisor(Config(data_dir=str(tmp_path)), print).up():
                pytest.fail("it started")


def test_a_service_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """And the ones that do."""
    with pytest.raises(SupervisorError, match=r"no such service: frod; there are .*fraud"):
        Supervisor(Config(data_dir=str(tmp_path)), print, ("frod",))


async def test_what_ended_on_a_full_disk_waits_for_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end again at once; one line says so, and it goes on by itself."""
    full, lines = [f"{tmp_path} is full"], list[str]()
    monkeypatch.setattr("app.local.supervisor.full_folder", lambda _: full[0])
    supervisor = Supervisor(Config(data_dir=str(tmp_path)), lines.append, ("fraud",))
    child = supervisor.add("brief", [sys.executable, "-c", ""], supervisor.config)
    watching = asyncio.create_task(supervisor._watch())
    async with asyncio.timeout(60):
        while not any("started again then" in line for line in lines):  # noqa: ASYNC110  no event
            await asyncio.sleep(0.05)
    waited = child.restarts
    full[0] = ""
    async with asyncio.timeout(60):
        while child.restarts == waited or not (tmp_path / "up.json").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    watching.cancel()
    child.kill()

    assert (0, f"{tmp_path} is full") == (waited, supervisor._ended["brief"])
    assert 1 == sum("started again then" in line for line in lines)


def test_many_workers_on_one_port_are_refused(tmp_path: Path) -> None:
    """All but the first would end at once; one worker may have it."""
    config = Config(data_dir=str(tmp_path), worker_port=9_000)
    Supervisor(config, print, ("fraud",))

    with pytest.raises(SupervisorError, match=r"cannot share the port 9000.*PAYFLOW_WORKER_PORT"):
        Supervisor(config, print)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(None, id="nothing was ever started"),
        pytest.param(b"{", id="a half-written file"),
        pytest.param(2**22 + 1, id="its process is gone"),
    ],
)
def test_what_does_not_run_is_not_found(left: object, tmp_path: Path) -> None:
    """The message says how to start it."""
    if left is not None:
        body = left if isinstance(left, bytes) else msgspec.json.encode(queries(int(str(left))))
        (tmp_path / "up.json").write_bytes(body)

    with pytest.raises(SupervisorError, match="start it with: payflow up"):
        running(Config(data_dir=str(tmp_path)))


def test_what_runs_is_found_by_its_folder(tmp_path: Path) -> None:
    """Commands read its addresses there."""
    here = queries(os.getpid())
    (tmp_path / "up.json").write_bytes(msgspec.json.encode(here))

    assert here == running(Config(data_dir=str(tmp_path)))


def test_a_worker_is_found_by_service_and_process(tmp_path: Path) -> None:
    """Another process of the same service has another address."""
    config = Config(data_dir=str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "fraud-7.url").write_text("http://127.0.0.1:9")

    assert ("http://127.0.0.1:9", "") == (
        worker_url(config, "fraud", 7),
        worker_url(config, "fraud", 8),
    )


def queries(pid: int) -> Running:
    """Return what an instance of process `pid` says of itself."""
    return Running(
        broker_url="b:1",
        console_url="http://c",
        provider_url="p",
        carrier_url="c",
        pids={"up": pid},
    )
