"""A process that ends itself is gone, whatever cannot be written."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from app.host.exit import EXIT_UNSAFE

ROOT = Path(__file__).parents[2]
ENDS = """
from app.config import Config
from app.host.exit import hard_stop
from app.host.logs import configure_logging
configure_logging(Config())
hard_stop("the disk is full", show={show})
"""


def ends(out: int | IO[bytes], show: str = "None") -> tuple[int, str]:
    """Return the exit code and the last line of a process that ends itself, all said to `out`."""
    done = subprocess.run(
        [sys.executable, "-c", ENDS.format(show=show)],
        cwd=ROOT,
        stdout=out,
        stderr=out,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stderr or b"").decode().rstrip().rpartition("\n")[2]


def test_the_last_line_says_why() -> None:
    """Behind everything that is logged."""
    assert (EXIT_UNSAFE, "payflow: the disk is full") == ends(subprocess.PIPE)


@pytest.mark.parametrize("show", ["None", "lambda: 1 / 0"])
def test_a_full_disk_does_not_keep_it_alive(show: str) -> None:
    """Neither its log nor its last message can be written, nor what it would show."""
    with Path("/dev/full").open("wb") as full:
        assert EXIT_UNSAFE == ends(full, show)[0]


def test_a_log_that_nobody_reads_does_not_keep_it_alive() -> None:
    """A pipe is full after 64 KiB, and a write to it waits for ever."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)

    assert EXIT_UNSAFE == ends(writer)[0]
    os.close(reader)
    os.close(writer)


def test_a_stop_that_waits_for_ever_is_ended_in_its_time() -> None:
    """Whoever started us may be gone, and the broker that it waits for too."""
    hangs = "import threading\nfrom app.host.exit import end_within\nend_within(0.2)\n"
    done = subprocess.run(
        [sys.executable, "-c", hangs + "threading.Event().wait()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert EXIT_UNSAFE == done.returncode
    assert "comes again" in done.stderr
