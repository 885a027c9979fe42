"""Shows the bytes of one dead letter, personal data included, once the audit says who asks."""

from app.config import Config
from app.kafka.producer import open_producer, produce_signed
from app.operations.dead_letters.audit_records import Action, audited
from app.operations.search.record_view import RecordView, read_record
from workflows.audit.messages import PersonalRevealed

ABOUT_CHARS_MAX = 140
FIELDS = ("body",)
"""What of a dead letter is shown."""


def revealed(place: str, who: str, why: str) -> PersonalRevealed:
    """Return the audit message of showing the bytes of the dead letter at `place`."""
    return PersonalRevealed(about=place[:ABOUT_CHARS_MAX], who=who, why=why, fields=FIELDS)


async def reveal(config: Config, place: str, action: Action) -> RecordView:
    """Audit `action` and return the record at `place` with its bytes. Raises InspectionError."""
    async with open_producer(config) as producer:
        message = revealed(place, action.who, action.why)
        await produce_signed(producer, [audited(message, action)], config)
    topic, partition, offset = place.rsplit("/", 2)
    return await read_record(config, topic, int(partition), int(offset), whole=True)
