"""Bytes of partitions on the brokers' disks, by a request that aiokafka 0.14 lacks."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String


class DescribeLogDirsResponse(Response):
    """The sizes of the partitions of one broker."""

    # aiokafka declares properties and sets constants itself.
    API_KEY = 35  # pyright: ignore[reportAssignmentType]
    API_VERSION = 1  # pyright: ignore[reportAssignmentType]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("name", String("utf-8")),
                        (
                            "partitions",
                            Array(
                                ("partition_index", Int32),
                                ("partition_size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


class DescribeLogDirsStruct(RequestStruct):
    """The request, in the first form that Kafka 4 still knows."""

    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = DescribeLogDirsResponse
    SCHEMA = Schema(
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))),
    )


class DescribeLogDirs(Request[DescribeLogDirsStruct]):
    """Asks for every partition of a broker."""

    API_KEY = 35

    def build(self, request_struct_class: type[DescribeLogDirsStruct]) -> DescribeLogDirsStruct:
        """Return the request: no topics named are all."""
        return request_struct_class(None)


async def sizes(admin: AIOKafkaAdminClient) -> dict[tuple[str, int], int] | None:
    """Return the bytes of each partition, of its largest replica; None where no broker says."""
    brokers = [node["node_id"] for node in (await admin.describe_cluster())["brokers"]]
    size_by_place: dict[tuple[str, int], int] = {}
    for broker in brokers:
        try:
            answer: Any = await admin._send_request(DescribeLogDirs(), broker)  # noqa: SLF001
        except (IncompatibleBrokerVersion, KafkaError):
            return None
        for error_code, _, topics in answer.results:
            if error_code:
                return None
            for name, partitions in topics:
                for partition, size, _, _ in partitions:
                    place = name, partition
                    size_by_place[place] = max(size, size_by_place.get(place, 0))
    return size_by_place
