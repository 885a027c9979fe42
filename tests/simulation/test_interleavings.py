"""Every seed is another scenario of faults; the books balance after each.

`make simulate` runs a hundred thousand. A failing seed is printed with its last steps;
`python -m tests.simulation --shrink SEED` leaves out what it does not need to fail.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulation.scenario import check, run_scenario

SEEDS = int(os.environ.get("SEEDS", "2000"))
CHUNK = 100
ROOT = Path(__file__).parents[2]
WORTH_MAX = 1_000
"""Seeds among which every fault has to occur."""
REPLAYED = (7, 8, 7)
FAILED_ONCE = (835, 11948)
"""Every seed that ever failed stays here: 835 ended while a retry was due; in
11948 the copies of parked events multiplied faster than they were read."""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all seeds: starting one costs more than a seed."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_the_books_balance_for_every_seed(first: int, loop: asyncio.AbstractEventLoop) -> None:
    """Duplicates, reorderings, lost answers, kills at any checkpoint: one end an order."""
    for seed in range(first, min(first + CHUNK, SEEDS)):
        check(run_scenario(seed, loop), seed)


@pytest.mark.parametrize("seed", FAILED_ONCE)
def test_a_seed_that_failed_once_passes(seed: int, loop: asyncio.AbstractEventLoop) -> None:
    """What was mended stays mended."""
    check(run_scenario(seed, loop), seed)


def test_a_seed_replays_exactly_in_any_process() -> None:
    """The same seed produces the same messages in the same order, however Python hashes strings."""
    first, again = (_fingerprints(hash_seed) for hash_seed in ("1", "2"))

    assert first == again
    assert first[0] == first[2] != first[1]


def _fingerprints(hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.simulation", "--fingerprint", *map(str, REPLAYED)]
    record = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        command, cwd=ROOT, env=record, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_the_scenarios_hold_every_fault(loop: asyncio.AbstractEventLoop) -> None:
    """Every end and every fault occurs, or the simulation proves nothing."""
    ends = {"OrderCompleted", "OrderCancelled", "ReturnAccepted", "NotificationSent", "refunds"}
    ends |= {"PaymentAuthorized", "PaymentVoided", "CaptureCaseOpened"}
    ends |= {"DisputeClosed", "PaymentRefundHeld", "RefundCoveredByDispute", "DisputeEscalated"}
    troubles = {
        "killed", "lost commit", "lost disk", "repeated", "clock off", "request lost",
        "answer lost", "declined", "refused", "call-back lost", "call-back doubled",
        "channel away", "number refused", "hold ended", "capture refused", "action required",
        "customer acts", "customer fails", "processing", "processing acts",
        "disputed", "dispute answered", "dispute lost", "inquiry escalated", "webhook late",
    }  # fmt: skip
    occurred: Counter[str] = Counter()
    for seed in range(WORTH_MAX):
        world = run_scenario(seed, loop)
        for topic in ("sagas", "notifications", "payments"):
            occurred.update(type(message).__name__ for message in world.messages(topic))
        occurred["refunds"] += len(world.provider.refunds)
        occurred.update(kind for _, kind in world.troubles.struck)
        if all(occurred[name] for name in ends | troubles):
            break

    assert set() == {name for name in ends | troubles if not occurred[name]}
