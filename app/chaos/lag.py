"""The lag of services, asked of the broker."""

from collections.abc import Iterable

from app.config import Config
from app.kafka.admin import admin_client
from app.kafka.groups import committed_offsets, group_of
from app.kafka.positions import lag
from app.kafka.reader import declared_places, reader
from app.operations.verification.auditor import listeners


async def waiting(config: Config, service: str) -> int:
    """Return the lag of the group of `service`, in offsets."""
    return (await waiting_by_service(config, [service]))[service]


async def waiting_by_service(config: Config, services: Iterable[str]) -> dict[str, int]:
    """Return the lag of the group of each service, in offsets."""
    lags: dict[str, int] = {}
    consumed = listeners()
    async with admin_client(config) as admin, reader(config) as consumer:
        for service in services:
            committed = await committed_offsets(admin, group_of(service))
            places = [
                place
                for topic in consumed.get(service, ())
                for place in declared_places(topic, config)
            ]
            ends = await consumer.end_offsets(places)
            lags[service] = sum(lag(committed.get(place, 0), end) for place, end in ends.items())
    return lags
