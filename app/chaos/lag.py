"""How much waits for a service, asked of the broker."""

from app.config import Config
from app.kafka.admin import admin_client
from app.kafka.groups import committed_offsets
from app.kafka.reader import declared_places, reader
from app.operations.verification.auditor import listeners


async def waiting(config: Config, service: str) -> int:
    """Return how many records lie after what the group of `service` has committed."""
    async with admin_client(config) as admin, reader(config) as consumer:
        committed = await committed_offsets(admin, f"payflow-{service}")
        places = [
            place for topic in listeners()[service] for place in declared_places(topic, config)
        ]
        ends = await consumer.end_offsets(places)
    return sum(max(0, end - max(0, committed.get(place, 0))) for place, end in ends.items())
