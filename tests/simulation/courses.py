"""`python -m tests.simulation.courses`: every course, with every kill, and every gap after it.

Killed is who moves money, payment and its gateway; with `--agents all` everybody.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from random import Random

import structlog
from rich.progress import track

from app.registry import load_agents
from tests.support.simulation.course_play import (
    AT_ONCE,
    GAPS_HOURS,
    MONEY,
    Kill,
    kills_of,
    play,
)
from tests.support.simulation.course_table import COURSES
from tests.support.simulation.dispute_play import play_disputed
from tests.support.simulation.dispute_table import DISPUTES

ROWS = (*COURSES, *DISPUTES)
CHUNK, EACH = 20, 1_000
Case = tuple[int, Kill | None, str]
"""A row, a kill, a gap."""


def cases_of(kills: Sequence[Kill]) -> list[Case]:
    """Return each row alone, and with every one of `kills` and every gap."""
    rows = range(len(ROWS))
    return [*((row, None, AT_ONCE) for row in rows), *product(rows, kills, GAPS_HOURS)]


def agents_of_world() -> list[str]:
    """Return the name of every agent that can be killed."""
    return [name for name, agent in load_agents().items() if agent.service != "console"]


def sampled(cases: Sequence[Case], most: int, seed: int) -> list[Case]:
    """Return `most` of `cases` by `seed`; first so many that each row, kill and gap has its turn.

    These are played also where they are more than `most`.
    """
    first: list[Case] = []
    rest: list[Case] = []
    covered: set[object] = set()
    for case in Random(seed).sample(cases, len(cases)):
        parts = set[object](enumerate(case))
        (rest if parts <= covered else first).append(case)
        covered |= parts
    return [*first, *rest[: max(0, most - len(first))]]


def failures(cases: Sequence[Case]) -> tuple[int, list[str]]:
    """Return how many `cases` were played, and what goes wrong in them."""
    # A webhook that nobody needs is worth a line in a console, not in thousands of courses.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    loop = asyncio.new_event_loop()
    wrong: list[str] = []
    for row, kill, gap in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                play_row(row, Path(folder), loop, kill, gap)
            except (AssertionError, TimeoutError) as error:
                wrong.append(f"{ROWS[row].name}, {kill}, {gap}: {str(error)[:1_500]}")
    loop.close()
    return len(cases), wrong


def play_row(
    row: int, folder: Path, loop: asyncio.AbstractEventLoop, kill: Kill | None, gap: str
) -> None:
    """Play one case; raise AssertionError where it goes wrong."""
    each, gap_hours = ROWS[row], GAPS_HOURS[gap]
    if row >= len(COURSES):
        play_disputed(each, folder, loop, kill, gap_hours)
        return
    end = play(each, folder, loop, kill, gap_hours)
    assert gap != AT_ONCE or each.end == end, end


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked; return 1 when something goes wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.courses", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--row", help="a part of the name of the courses to play", default="")
    parser.add_argument("--agents", choices=("money", "all"), default="money",
                        help="whom to kill: payment and its gateway, or each in turn")  # fmt: skip
    parser.add_argument("--sample", type=int, metavar="N", help="play so many, not all of them")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    options = parser.parse_args(arguments)
    kills = kills_of(agents_of_world() if options.agents == "all" else MONEY)
    cases = [case for case in cases_of(kills) if options.row in ROWS[case[0]].name]
    if options.sample is not None:
        cases = sampled(cases, options.sample, options.seed)
    chunks = [cases[at : at + CHUNK] for at in range(0, len(cases), CHUNK)]
    wrong: list[str] = []
    played = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        playing = [pool.submit(failures, chunk) for chunk in chunks]
        for done in track(as_completed(playing), "courses", total=len(chunks), transient=True):
            cases_played, reports = done.result()
            played += cases_played
            wrong += reports
            _say(*reports, *([f"{played} so far"] if not played % EACH else []))
    _say(f"{played} courses were played, {len(wrong)} go wrong")
    return 1 if wrong else 0


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{each}\n" for each in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
