"""A consistent cut: in which order its offsets are asked for, and whose work it is allowed for."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from app.operations.verification.consistent_cut import sources_of, take_consistent_cut
from tests.support.consumer import FakeConsumer, FakeRecord

PLACE = TopicPartition("orders", 0)


class AskedBroker(FakeConsumer):
    """One partition of `orders` from offset 5 to 9; notes what it is asked for, and says it."""

    def __init__(self, committed: Mapping[str, int]) -> None:
        super().__init__({0: [FakeRecord("orders", 0, at) for at in range(5, 9)]}, {0: 9}, None)
        self.asked: list[str] = []
        self._committed = committed

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[Any, int]:
        assert set(places) <= self.at.keys() & self.paused, "else each is asked for by itself"
        self.asked.append("beginnings")
        return await super().beginning_offsets(places)

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[Any, int]:
        self.asked.append("ends")
        return await super().end_offsets(places)

    async def describe_topics(self) -> list[dict[str, Any]]:
        return [{"topic": "orders", "partitions": [{"partition": 0}]}]

    async def find_coordinator(self, group: str) -> str:
        return group

    async def _send_request(self, _request: Any, group: str) -> Any:
        self.asked.append(group)
        offsets = [
            {"partition": 0, "offset": self._committed[group], "metadata": "", "error_code": 0}
        ]
        topics = [{"topic": "orders", "partitions": offsets}] if group in self._committed else []
        return SimpleNamespace(to_object=lambda: {"topics": topics, "error_code": 0})


async def test_a_cut_asks_for_the_ends_once_after_the_groups() -> None:
    """The groups first: what they have committed lies before any end that is asked for later."""
    broker: Any = AskedBroker({"payflow-payment": 7})

    cut = await take_consistent_cut(
        broker, broker, sources_of([]), {"payment": frozenset({"orders"})}
    )

    assert ["beginnings", "payflow-payment", "beginnings", "ends"] == broker.asked
    assert (5, 9, 7) == (cut.begins[PLACE], cut.ends[PLACE], cut.committed["payment"][PLACE])
