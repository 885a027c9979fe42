"""What a worker commits says in which log it was made; before that is known it commits nothing."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.structs import OffsetAndMetadata

from app.config import Config
from app.kafka.applied_logs import AppliedLog, log_of_mark
from app.kafka.groups import commits
from app.kafka.logs import LogIdentity, marked
from app.registry import load_agents
from app.worker.log_check import LogCheck
from app.worker.log_identity import Position

ORDERS, OTHERS = TopicPartition("orders", 0), TopicPartition("orders", 1)
FOREIGN = TopicPartition("payflow-leader", 0)
LOG = AppliedLog(identity=LogIdentity(topic_id="a"))


async def test_nothing_is_committed_of_what_was_not_checked() -> None:
    """A commit without the log would look like one of somebody else, and stop the next start."""
    logs = LogCheck(Config(service="payment"))
    logs.register(load_agents()["payment"], None)
    logs.positions[tuple(ORDERS)] = Position(log=LOG, offset=0, is_committed=True)
    committed: list[Mapping[TopicPartition, OffsetAndMetadata]] = []

    async def commit(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        committed.append(offsets)

    offsets = {place: OffsetAndMetadata(7, "") for place in (ORDERS, OTHERS, FOREIGN)}
    await marked(commit, logs.mark)(offsets)
    await marked(commit, logs.mark)({OTHERS: OffsetAndMetadata(7, "")})

    [offset_by_place] = committed
    assert {ORDERS, FOREIGN} == set(offset_by_place)
    assert (LOG, "") == (
        log_of_mark(offset_by_place[ORDERS].metadata),
        offset_by_place[FOREIGN].metadata,
    )


class Admin:
    """Answers with an error first, and then with one commit."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)

    async def find_coordinator(self, _group: str) -> int:
        return 1

    async def _send_request(self, _request: Any, _node: int) -> Any:
        code = self.codes.pop(0)
        at = {"partition": 0, "offset": 7, "metadata": "m", "error_code": 0}
        topics = [] if code else [{"topic": "orders", "partitions": [at]}]
        return SimpleNamespace(to_object=lambda: {"error_code": code, "topics": topics})


async def test_a_coordinator_that_is_loading_is_no_group_without_commits() -> None:
    """It is asked again; what it refuses is raised."""
    loading, allowed = 14, 0

    offset_by_place = await commits(Admin(loading, allowed), "payflow-order")  # type: ignore[arg-type]

    assert {ORDERS: OffsetAndMetadata(7, "m")} == offset_by_place
    with pytest.raises(GroupAuthorizationFailedError, match="payflow-order"):
        await commits(Admin(30), "payflow-order")  # type: ignore[arg-type]
