"""A consistent cut: in which order its offsets are asked for, and whose work it is allowed for."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from app.operations.verification.consistent_cut import sources_of, take_consistent_cut
from tests.support.consumer import FakeConsumer, FakeRecord

PLACE = TopicPartition("orders", 0)


class AskedBroker(FakeConsumer):
    """Partition 0 of `orders`, from offset 5 to 9, and 1 of `payments`; notes what is asked."""

    def __init__(self, committed: Mapping[str, int], written: int = 0) -> None:
        orders = [FakeRecord("orders", 0, at) for at in range(5, 9)]
        super().__init__({0: orders, 1: []}, {0: 9, 1: written}, None)
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
        return [
            {"topic": topic, "partitions": [{"partition": at}]}
            for at, topic in enumerate(("orders", "payments"))
        ]

    async def find_coordinator(self, group: str) -> str:
        return group

    async def _send_request(self, _request: Any, group: str) -> Any:
        self.asked.append(group)
        offsets = [
            {"partition": 0, "offset": self._committed.get(group), "metadata": "", "error_code": 0}
        ]
        topics = [{"topic": "orders", "partitions": offsets}] if group in self._committed else []
        return SimpleNamespace(to_object=lambda: {"topics": topics, "error_code": 0})


async def test_a_cut_asks_for_the_ends_once_after_the_groups() -> None:
    """The groups first: what they have committed lies before any end that is asked for later."""
    broker: Any = AskedBroker({"payflow-payment": 7})

    consistent_cut = await take_consistent_cut(
        broker, broker, sources_of([]), {"payment": frozenset({"orders"})}, {}
    )

    assert ["beginnings", "payflow-payment", "beginnings", "ends"] == broker.asked
    assert (5, 9, 7) == (
        consistent_cut.begins[PLACE],
        consistent_cut.ends[PLACE],
        consistent_cut.committed["payment"][PLACE],
    )


@pytest.mark.parametrize(
    ("committed", "written", "unread", "before_start"),
    [
        pytest.param({}, 0, [], ["orders/0 of payment: 0 to 4"], id="it has never run"),
        pytest.param({}, 1, ["orders/0 of payment: 0 to 4"], [], id="its offsets have expired"),
        pytest.param({"payflow-payment": 3}, 0, ["orders/0 of payment: 3 to 4"], [],
                     id="it was away, and has written nothing"),
        pytest.param({"payflow-payment": 5}, 1, [], [], id="it has read all that was deleted"),
    ],
)  # fmt: skip
async def test_what_was_deleted_before_a_service_has_ever_run_is_no_loss(
    committed: dict[str, int], written: int, unread: list[str], before_start: list[str]
) -> None:
    """It is a loss for one whose offsets have expired: what that has written says that it ran."""
    broker: Any = AskedBroker(committed, written)

    consistent_cut = await take_consistent_cut(
        broker,
        broker,
        sources_of([]),
        {"payment": frozenset({"orders"})},
        {"payment": frozenset({"payments"})},
    )

    assert (unread, before_start) == (
        consistent_cut.deleted_unread(),
        consistent_cut.deleted_before_start(),
    )
