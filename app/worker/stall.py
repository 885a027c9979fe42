"""Whether a worker is stalled: its signs of progress, how long each part shows none, what is left.

Pure but for `has_records`: an agent is stalled only when there is a record for it to read.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from app.kafka.positions import lag
from app.kafka.reader import AIOKafkaConsumer, TopicPartition, read_to_end

CHECK_SECONDS = 1.0
"""How often progress is checked."""
LOOP = "the event loop"
RECOVERY = "the sharing out or recovery of partitions"

Place = tuple[str, int]
Bounds = Mapping[Place, tuple[int, int]]
"""The first offset of each topic and partition, and the one behind its last."""


class AgentProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of an agent: how many checkpoints it passed, and its offsets."""

    name: str
    checkpoints: int
    done: dict[Place, int]
    """The offset of each partition before which nothing is left to do now."""
    not_due: dict[Place, int] = {}
    """How many records of each partition wait for their time; `done` counts them."""


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a worker at one moment."""

    noted_at: float
    """When the event loop noted it, which a blocked one does not (monotonic seconds)."""
    flows: bool
    recovered_at: float | None
    """When the latest record of a changelog was recovered; None when nothing recovers."""
    agents: tuple[AgentProgress, ...]


class Stall:
    """How long each part of a worker has made no progress while it had something to do."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self._still: dict[str, float] = {}
        self._scanned: float | None = None
        self._last: Signs | None = None

    def conclude(self, now: float, signs: Signs, bounds: Bounds | None) -> str:
        """Return the part that has made no progress for longer than the limit, or nothing.

        `now` is of the monotonic clock, in seconds; `bounds` None: the broker does not answer.
        """
        # A frozen process could not make progress: only time between its own checks counts.
        passed = 0.0 if self._scanned is None else min(now - self._scanned, 2 * CHECK_SECONDS)
        last = self._last or signs
        self._scanned, self._last = now, signs
        if signs.noted_at == last.noted_at:
            # A blocked loop does not report the progress of other parts.
            self._still[LOOP] = self._still.get(LOOP, 0.0) + passed
        else:
            self._still = {
                part: 0.0 if moves else self._still.get(part, 0.0) + passed
                for part, moves in _moving(last, signs, bounds).items()
            }
        part = self.part()
        if not part:
            return ""
        seconds = self._still[part]
        return f"{part} got no further for {seconds:.0f} s{_waiting(part, signs, bounds)}"

    def part(self) -> str:
        """Return which part has been still for longer than the limit, or nothing."""
        return next((part for part, s in self._still.items() if s > self._limit), "")

    def clear(self, part: str) -> None:
        """Take `part` for one that moved: what it was thought to have to do is not there."""
        self._still[part] = 0.0


def _moving(last: Signs, signs: Signs, bounds: Bounds | None) -> dict[str, bool]:
    """Return for each part of a worker whether it moved since `last`, or had no need to."""
    silent = bounds is None
    moving = {
        LOOP: True,
        RECOVERY: silent or signs.flows or signs.recovered_at != last.recovered_at,
    }
    before = {agent.name: agent.checkpoints for agent in last.agents}
    for agent in signs.agents:
        idle = silent or not signs.flows or not behind(agent, bounds or {})
        moving[f"agent {agent.name}"] = idle or agent.checkpoints != before.get(agent.name)
    return moving


def behind(agent: AgentProgress, bounds: Bounds) -> int:
    """Return how many offsets `agent` has to read, as far as the broker has said."""
    return sum(
        lag(done, bounds[place][1], bounds[place][0])
        for place, done in agent.done.items()
        if place in bounds
    )


def _waiting(part: str, signs: Signs, bounds: Bounds | None) -> str:
    counts = [
        behind(agent, bounds or {}) for agent in signs.agents if part == f"agent {agent.name}"
    ]
    return f", with {counts[0]} offsets to read" if counts else ""


async def has_records(consumer: AIOKafkaConsumer, agent: AgentProgress, bounds: Bounds) -> bool:
    """Return whether a record lies before the end of a partition that `agent` has still to do."""
    starts = {
        TopicPartition(*place): max(done - agent.not_due.get(place, 0), bounds[place][0])
        for place, done in agent.done.items()
        if place in bounds
    }
    ends = {place: bounds[place.topic, place.partition][1] for place in starts}
    readable: Counter[Place] = Counter()
    async for record in read_to_end(consumer, starts, ends):
        place = record.topic, record.partition
        readable[place] += 1
        if readable[place] > agent.not_due.get(place, 0):
            return True
    return False
