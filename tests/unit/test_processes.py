"""Processes of ours: started again under their name, ended with us, never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.host.processes import (
    HEALTHY_SECONDS,
    Busy,
    Child,
    claimed_port,
    free_port,
    hold,
    keep_files_ours,
    restarts_in_a_row,
    wait_seconds,
)

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A process that sleeps."""
    child = Child("sleeper", SLEEP, dict(os.environ), tmp_path / "logs" / "sleeper.log")
    yield child
    child.kill()


def until(condition: object) -> None:
    """Wait until `condition()` holds."""
    limit = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        if time.monotonic() > limit:
            pytest.fail("not within 60 s")
        time.sleep(0.05)


def test_what_has_died_can_be_started_again(child: Child) -> None:
    """The count of restarts and the exit code are kept for readers."""
    child.start()
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: not child.running)

    assert (-9, 0) == (child.exit_code, child.restarts)
    child.start()
    assert (True, 1) == (child.running, child.restarts)


def test_its_last_messages_are_kept(child: Child) -> None:
    """Output goes to a log of its own, appended."""
    child.start()
    until(lambda: "up" in child.last_lines())

    assert "up" == child.last_lines()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """A supervisor that is killed leaves nothing behind."""
    script = (
        "import os, sys, time; from pathlib import Path; from app.host.processes import Child;"
        f"c = Child('c', {SLEEP!r}, dict(os.environ), Path({str(tmp_path / 'log')!r}));"
        "c.start(); print(c.pid, flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    until(lambda: not psutil.pid_exists(pid))
    assert not psutil.pid_exists(pid)


def test_a_taken_port_is_left_to_its_owner() -> None:
    """Another free one is found."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert port != free_port("127.0.0.1", port)


def test_a_claimed_port_is_not_chosen_by_an_instance_that_starts_meanwhile() -> None:
    """Nobody has bound it yet; it is free again when the claim is given up."""
    port = free_port("127.0.0.1", 0)
    first, give_up = claimed_port("127.0.0.1", port)
    second, give_up_second = claimed_port("127.0.0.1", port)
    give_up()
    third, give_up_third = claimed_port("127.0.0.1", port)
    give_up_second()
    give_up_third()

    assert (port, port) == (first, third)
    assert port != second


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_files_are_the_owners_whatever_the_mask(mask: int, tmp_path: Path) -> None:
    """Those of children too, and their logs."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); print('made', flush=True)"
    command = [sys.executable, "-c", code, str(tmp_path / "made")]
    child = Child("maker", command, dict(os.environ), tmp_path / "logs" / "maker.log")
    before = os.umask(mask)
    try:
        keep_files_ours()
        child.start()
    finally:
        os.umask(before)
    until(lambda: not child.running)
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (tmp_path / "made", child.log_path, child.log_path.parent)
    }

    assert {"made": 0o600, "maker.log": 0o600, "logs": 0o700} == modes


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    """The second gets the holder's pid; when the first releases it, it is free again."""
    reason = f"in use by process {os.getpid()}"
    with hold(tmp_path / "x.lock"), pytest.raises(Busy, match=reason):
        hold(tmp_path / "x.lock")

    hold(tmp_path / "x.lock").close()


@pytest.mark.parametrize(
    ("ran_seconds", "waits"),
    [
        pytest.param([1.0] * 8, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0], id="each dies soon"),
        pytest.param(
            [1.0, 1.0, HEALTHY_SECONDS, 1.0],
            [0.2, 0.4, 0.2, 0.4],
            id="one was healthy for a minute",
        ),
        pytest.param([300.0] * 10, [0.2] * 10, id="ten kills in an hour"),
    ],
)
def test_the_wait_before_a_restart_grows_when(ran_seconds: list[float], waits: list[float]) -> None:
    """Only with deaths in a row."""
    counts: list[int] = []
    for ran in ran_seconds:
        counts.append(restarts_in_a_row(counts[-1] + 1 if counts else 0, ran))

    assert waits == [wait_seconds(count) for count in counts]


def test_the_wait_after_a_night_of_restarts_is_the_longest() -> None:
    """No number is too large."""
    assert 10.0 == wait_seconds(5_000)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        pytest.param(
            "import sys; print('on the way'); sys.exit('the disk is full')",
            "the disk is full",
            id="its last line",
        ),
        pytest.param(
            "import os; print('on the way', flush=True); os.kill(os.getpid(), 9)",
            "ended by signal 9",
            id="a signal",
        ),
    ],
)
def test_why_it_ended_is_known(does: str, reason: str, tmp_path: Path) -> None:
    """A process that is killed says nothing of it."""
    child = Child("short", [sys.executable, "-c", does], dict(os.environ), tmp_path / "short.log")
    child.start()
    until(lambda: not child.running)

    assert reason == child.reason()
