"""What the rows of the open partitions have applied, read a page at a time (ADR 19)."""

from collections.abc import Mapping, Sequence

import msgspec
import structlog
from aiokafka import TopicPartition

from app.delivery.row import offsets_of
from app.kafka.applied_logs import log_of_mark
from app.kafka.logs import PlaceFacts
from app.wire.records import source_name
from app.wire.topics import topic_name
from app.worker.log_identity import RowsView
from app.worker.open_partitions import OpenPartitions
from app.worker.store import Store

log = structlog.get_logger(__name__)

AppliedOffsets = Mapping[tuple[str, int], Mapping[str, int]]
"""By changelog and partition, then by source: the highest offset that any row has applied."""


async def applied_offsets(
    places: Sequence[TopicPartition],
    facts: Mapping[TopicPartition, PlaceFacts],
    opened: OpenPartitions,
) -> AppliedOffsets:
    """Return what rows have applied where `judge` may ask for it: that reads all of them.

    Raises as `OpenPartitions.check` does.
    """
    partitions = {place.partition for place in places if _asks_rows(facts.get(place))}
    return {
        (store.changelog, at): await _highest(opened, store, at)
        for store, at in opened.places
        if at in partitions
    }


def rows_view(
    store: Store, place: TopicPartition, opened: OpenPartitions, applied: AppliedOffsets
) -> RowsView | None:
    """Return what the rows of `place` say; None: its partition is not open."""
    if (store.changelog, place.partition) not in opened.logs:
        return None

    def highest(epoch: int) -> int | None:
        if topic_name(place.topic).kind == "retry":
            return None
        offsets = applied[store.changelog, place.partition]
        return offsets.get(source_name(place.topic, place.partition, epoch), -1)

    noted = opened.logs[store.changelog, place.partition].get(place.topic)
    return RowsView(log=noted, highest=highest)


def _asks_rows(facts: PlaceFacts | None) -> bool:
    return facts is not None and (facts.committed is None or log_of_mark(facts.metadata) is None)


async def _highest(opened: OpenPartitions, store: Store, at: int) -> dict[str, int]:
    """Return by source the highest offset that any row of a partition has applied.

    A row that cannot be read is passed over: an event for its key is dead-lettered when it comes.
    """
    highest: dict[str, int] = {}
    async for page in opened.pages(store, at):
        for _, body in page:
            try:
                offsets = offsets_of(body)
            except msgspec.DecodeError as error:
                log.warning("row unreadable", table=store.changelog, partition=at, why=str(error))
                continue
            for source, offset in offsets.items():
                highest[source] = max(offset, highest.get(source, -1))
    return highest
