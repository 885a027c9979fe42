"""The order in which a row has received its events, by what the row remembers. Pure."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from app.delivery.row import PROCESSED_IDS_MAX, Row, behind
from app.wire import signing
from app.wire.envelope import BadEnvelope, from_headers
from app.wire.records import REDRIVE_TOPIC, Record, header
from workflows.shared.topic import declared


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A record and when it was emitted (ms)."""

    record: Record
    at_ms: int
    id: str
    """The id that the engine uses."""


def event_of(record: Record, at_ms: int) -> Event:
    """Return `record` as an event, under the id that the engine uses."""
    event_id = header(record, "ce_id")
    topic = declared.get(header(record, REDRIVE_TOPIC) or record.topic)
    if topic is not None and topic.open:
        with suppress(BadEnvelope):
            event_id = signing.trusted_envelope(from_headers(record.headers), record, topic).id
    return Event(record=record, at_ms=at_ms, id=event_id)


def received(live: Row[object], events: Iterable[Event]) -> list[Event]:
    """Return those of `events` that the live row has received, in the order it received them.

    A row remembers its latest events in order. Older events come before, in the order of time; a
    duplicate that was dropped comes last, and is dropped again.
    """
    event_by_place = {
        (each.record.source, each.record.offset): each
        for each in events
        if behind(live, each.record) or each.id in live.processed_ids
    }
    stored = _remembered(live, event_by_place.values())
    stored_places = {(each.record.source, each.record.offset) for each in stored}
    begins: dict[str, int] = {}
    for source, offset in stored_places:
        begins[source] = min(offset, begins.get(source, offset))
    others = [each for place, each in event_by_place.items() if place not in stored_places]
    forgotten = [
        each for each in others if each.record.offset < begins.get(each.record.source, END)
    ]
    dropped = [each for each in others if each.record.offset >= begins.get(each.record.source, END)]
    return [*_by_time(forgotten), *stored, *_by_time(dropped)]


END = 1 << 62


def _remembered(live: Row[object], events: Iterable[Event]) -> list[Event]:
    """Return the event behind each remembered id, in their order.

    A repeated event lies in several places. Each topic was received in the order of its offsets:
    going back from the newest, the latest place before what came after bounds it from above; going
    on from the oldest, the first place after what came before is the one that was not yet known.
    """
    places: dict[str, list[Event]] = {}
    for each in sorted(events, key=lambda event: event.record.offset):
        places.setdefault(each.id, []).append(each)
    if len(live.processed_ids) < PROCESSED_IDS_MAX:
        # The row still holds all its ids, so every repetition was known and dropped.
        return [places[event_id][0] for event_id in live.processed_ids if event_id in places]
    bounds: dict[str, int] = {}
    latest_first: list[Event] = []
    for event_id in reversed(live.processed_ids):
        fitting = [
            each
            for each in places.get(event_id, [])
            if each.record.offset < bounds.get(each.record.source, END)
        ]
        if fitting:
            bounds[fitting[-1].record.source] = fitting[-1].record.offset
            latest_first.append(fitting[-1])
    after: dict[str, int] = {}
    for number, each in enumerate(reversed(latest_first)):
        source = each.record.source
        earlier = [
            other
            for other in places[each.id]
            if other.record.source == source
            and after.get(source, each.record.offset - 1) < other.record.offset
        ]
        latest_first[len(latest_first) - 1 - number] = earlier[0]
        after[source] = earlier[0].record.offset
    return latest_first[::-1]


def complete(live: Row[object], events: Sequence[Event]) -> bool:
    """Return whether every event that the live row remembers is among `events`."""
    return set(live.processed_ids) <= {each.id for each in events}


def _by_time(events: Iterable[Event]) -> list[Event]:
    """Return `events` by time, those of one topic and partition by their offsets."""
    latest: dict[str, int] = {}
    keyed: list[tuple[int, str, int, Event]] = []
    for each in sorted(events, key=lambda event: event.record.offset):
        source = each.record.source
        latest[source] = max(each.at_ms, latest.get(source, 0))
        keyed.append((latest[source], source, each.record.offset, each))
    return [each for *_, each in sorted(keyed, key=lambda item: item[:3])]
