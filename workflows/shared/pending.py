"""What is owed after hearing a word: a participant as two functions, `evolve` and `owed`.

`owed(memory)` says what must be told now because of what is remembered; telling it makes it no
longer owed. So hearing the same twice owes nothing the second time.
"""

from collections.abc import Callable
from typing import TypeVar

from workflows.shared.message import Message

Memory = TypeVar("Memory")

WORDS_MAX = 10_000
"""More words owed at once than this is a memory that does not notice what it told."""


def settle(
    heard: Message,
    memory: Memory,
    at_ms: int,
    *,
    evolve: Callable[[Memory, Message, int], Memory],
    owed: Callable[[Memory], tuple[Message, ...]],
) -> tuple[Message, ...]:
    """Return all that is to be told after `heard`, in order, until nothing is owed."""
    memory = evolve(memory, heard, at_ms)
    told: list[Message] = []
    while words := owed(memory):
        told += words
        assert len(told) <= WORDS_MAX, "what was told is still owed"
        for word in words:
            memory = evolve(memory, word, at_ms)
    return tuple(told)
