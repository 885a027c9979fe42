"""`python -m tests.simulation`: the simulation by the hundred thousand, a seed alone, or shrunk."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.progress import track

from tests.simulation.shrink import shrink
from tests.support.simulation.scenario import check, run_scenario

CHUNK = 250


def failures(first: int, end: int) -> list[tuple[int, str]]:
    """Return every seed from `first` to before `end` that fails, and its last steps."""
    loop = asyncio.new_event_loop()
    failed_seeds: list[tuple[int, str]] = []
    for seed in range(first, end):
        try:
            check(run_scenario(seed, loop), seed)
        except AssertionError as error:
            failed_seeds.append((seed, str(error)[:2_000]))
    loop.close()
    return failed_seeds


def search(first: int, seeds: int, jobs: int) -> list[tuple[int, str]]:
    """Return what fails among `seeds` seeds from `first`, with progress on stderr."""
    failed_seeds: list[tuple[int, str]] = []
    chunks = list(_chunks(first, seeds))
    with ProcessPoolExecutor(jobs) as pool:
        running = [pool.submit(failures, *chunk) for chunk in chunks]
        for done in track(as_completed(running), "seeds", total=len(chunks), transient=True):
            for seed, why in done.result():
                print(f"seed {seed} fails: {why}", flush=True)
                failed_seeds.append((seed, why))
    return failed_seeds


def _chunks(first: int, seeds: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + seeds, CHUNK):
        yield start, min(start + CHUNK, first + seeds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked; return 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--shrink", type=int, metavar="SEED", help="leave out what is not needed")
    parser.add_argument(
        "--fingerprint",
        type=int,
        nargs="+",
        metavar="SEED",
        help="a hash of all that each seed emits",
    )
    record = parser.parse_args(arguments)
    loop = asyncio.new_event_loop()
    if record.fingerprint is not None:
        for seed in record.fingerprint:
            print(run_scenario(seed, loop).fingerprint())
        return 0
    if record.shrink is not None:
        return _show(shrink(record.shrink, loop))
    failed_seeds = search(record.first, record.seeds, record.jobs)
    print(f"{record.seeds} seeds from {record.first}: {len(failed_seeds)} fail")
    return 1 if failed_seeds else 0


def _show(failure: tuple[list[tuple[int, str]], str] | None) -> int:
    if failure is None:
        print("the seed does not fail")
        return 0
    troubles, why = failure
    for number, kind in troubles:
        print(f"trouble {number}: {kind}")
    print(why)
    return 1


if __name__ == "__main__":
    sys.exit(main())
