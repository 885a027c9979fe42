"""Parked events whose copies are lost: their followers would circle behind them for ever.

A copy is lost when its retry topic is made again, is read from its end, or lies in a batch that
nobody can read. The row still names the event, and each follower goes back to the retry topic.
"""

from app.delivery.row import Row, due_of_copies
from app.wire.records import ORIGIN, Record

LOST_MS = 1_800_000
"""How long past its time a parked event is, when a follower begins to count. A transaction that
somebody leaves open may hold a copy for a quarter of an hour (`transaction.max.timeout.ms`)."""
LOST_TIMES = 300
"""How often in a row a follower has to find it so, a second apart at least. A service that was away
for hours finds everything overdue: what its retry topics hold is read in that time."""
CAUSE = "copy_lost"


def long_overdue(row: Row[object], event_id: str, now_ms: int) -> tuple[str, ...]:
    """Return the parked events before `event_id`, first ones first, that are long overdue."""
    due_ms = due_of_copies(row)
    overdue: list[str] = []
    for parked in row.parked:
        # Rows of before copies had times do not say when theirs is due.
        if parked == event_id or now_ms - due_ms.get(parked, now_ms) <= LOST_MS:
            break
        overdue.append(parked)
    return tuple(overdue)


def detail(row: Row[object], event_id: str) -> str:
    """Return what the dead letter of a lost event says."""
    return (
        f"event {event_id} waited in a retry topic until {due_of_copies(row).get(event_id)} ms "
        "and its copy did not come: it is lost, and the next one of its key goes on. Operator: "
        "search for the event by its id; nothing here can be sent again"
    )


def record_of(follower: Record, row: Row[object], first_topic: str, event_id: str) -> Record:
    """Return all that is known of the lost event: key, id and transaction, no body."""
    origin = f"{first_topic}/{follower.partition}/{event_id}"
    return Record(
        topic=follower.topic,
        partition=follower.partition,
        offset=follower.offset,
        key=follower.key,
        value=None,
        headers=(
            ("ce_id", event_id.encode()),
            ("ce_correlationid", row.context.correlation_id.encode()),
            (ORIGIN, origin.encode()),
        ),
        epoch=follower.epoch,
    )
