"""The log of a process, which must not fill the disk."""

import sys
import time
from pathlib import Path

import pytest

from app.host.processes import Child

WAIT_SECONDS_MAX = 20.0


def until_holds(path: Path, text: str) -> None:
    """Wait until the file holds exactly `text`."""
    limit = time.monotonic() + WAIT_SECONDS_MAX
    while not path.exists() or path.read_text() != text:
        if time.monotonic() > limit:
            pytest.fail(f"not within {WAIT_SECONDS_MAX} s: {path.read_text()!r}")
        time.sleep(0.01)


def test_a_log_goes_on_where_the_earlier_one_ended(tmp_path: Path) -> None:
    """The process runs on, and appends to the emptied file."""
    log, go = tmp_path / "talker.log", tmp_path / "go"
    code = (
        "import pathlib, time\n"
        "print('before', flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        "print('after', flush=True)\n"
    )
    child = Child("talker", [sys.executable, "-c", code], {}, log)
    child.start()
    until_holds(log, "before\n")

    child.rotate_log(bytes_max=100)
    assert not log.with_suffix(".log.1").exists()
    child.rotate_log(bytes_max=3)
    go.touch()
    until_holds(log, "after\n")
    child.kill()

    assert "before\n" == log.with_suffix(".log.1").read_text()
