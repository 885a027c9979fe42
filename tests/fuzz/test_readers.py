"""The readers hold for what fuzzing begins with; `make security` goes on from there."""

import random

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.readers import READERS, seeds


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_its_seeds_and_what_becomes_of_them(name: str) -> None:
    """Cut at every tenth byte, and with single bytes changed."""
    chance = random.Random(1)
    for seed in (b"", *seeds(name)):
        READERS[name](seed)
        for at in range(0, len(seed), 10):
            READERS[name](seed[:at])
            READERS[name](seed[:at] + bytes([chance.randrange(256)]) + seed[at + 1 :])


def test_every_reader_is_fuzzed() -> None:
    """`python -m tests.fuzz` knows them by name, since it imports them late."""
    assert tuple(READERS) == command.NAMES
