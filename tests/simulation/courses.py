"""`python -m tests.simulation.courses`: every course, with every kill, and every gap after it."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path

import structlog
from rich.progress import track

from tests.support.simulation.course_play import AT_ONCE, GAPS_HOURS, KILLS, Kill, play
from tests.support.simulation.course_table import COURSES

ALL = (*((row, None, AT_ONCE) for row in range(len(COURSES))),
       *product(range(len(COURSES)), KILLS, GAPS_HOURS))  # fmt: skip
CHUNK = 20


def failures(cases: Sequence[tuple[int, Kill | None, str]]) -> list[str]:
    """Return what goes wrong in each of `cases`: a row, a kill, a gap."""
    # A webhook that nobody needs is worth a line in a console, not in thousands of courses.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    loop = asyncio.new_event_loop()
    wrong: list[str] = []
    for row, kill, gap in cases:
        each = COURSES[row]
        with tempfile.TemporaryDirectory() as folder:
            try:
                end = play(each, Path(folder), loop, kill, GAPS_HOURS[gap])
                assert gap != AT_ONCE or each.end == end, end
            except AssertionError as error:
                wrong.append(f"{each.name}, {kill}, {gap}: {str(error)[:1_500]}")
    loop.close()
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked; return 1 when something goes wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.courses", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--row", help="a part of the name of the courses to play", default="")
    options = parser.parse_args(arguments)
    cases = [case for case in ALL if options.row in COURSES[case[0]].name]
    chunks = [cases[at : at + CHUNK] for at in range(0, len(cases), CHUNK)]
    wrong: list[str] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        playing = [pool.submit(failures, chunk) for chunk in chunks]
        for done in track(as_completed(playing), "courses", total=len(chunks), transient=True):
            for text in done.result():
                sys.stdout.write(f"{text}\n")
                wrong.append(text)
    sys.stdout.write(f"{len(cases)} courses were played, {len(wrong)} go wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
