"""How a party of a payment stood: the risk room's answer, and what it keeps.

One row a party: a customer, a card, a terminal, a device, an address. `workflows/fraud/features.py`
has the model's figures, `workflows/fraud/windows.py` those of the rules,
`workflows/fraud/travel.py` the distance.
"""

from workflows.fraud import features, travel
from workflows.fraud.entity import DAY_MS, INITIAL, Entity, Place, Seen, insert, label, tag_of
from workflows.fraud.entity_messages import CheckEntity, EntityAnswered, LabelEntity, NoteDecline
from workflows.fraud.windows import measure
from workflows.shared.message import Message

__all__ = ["INITIAL", "Entity", "decide", "evolve"]

CONFIRMED_MS = 30 * DAY_MS
"""How far back frauds count that are confirmed by now."""

# --- judgment ----------------------------------------------------------------


def decide(memory: Entity, heard: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return how the party stands at the time of the payment, that payment included."""
    if not isinstance(heard, CheckEntity):
        return ()
    seen = _seen(heard)
    figures = _known(memory, seen, heard)
    if heard.kind == "customer":
        figures |= features.of_customer(memory, seen) | travel.of(memory.place, _place(heard))
    if heard.kind == "terminal":
        figures |= features.of_terminal(memory, seen)
    return (
        EntityAnswered(
            order_id=heard.order_id,
            kind=heard.kind,
            figures=figures,
            aggregates={
                wanted.name: measure(memory, seen, wanted)
                for wanted in heard.wants
                if wanted.of == heard.kind
            },
        ),
    )


def _known(memory: Entity, seen: Seen, heard: CheckEntity) -> dict[str, float]:
    """Return what every party is asked: since when it is known, its confirmed frauds."""
    since_ms = seen.at_ms if memory.since_ms is None else min(memory.since_ms, seen.at_ms)
    confirmed = [
        each
        for each in memory.seen
        if 0 < each.fraud_at_ms <= seen.at_ms and each.at_ms > seen.at_ms - CONFIRMED_MS
    ]
    found = {
        f"{heard.kind}_known_days": (seen.at_ms - since_ms) / DAY_MS,
        f"{heard.kind}_confirmed_frauds": float(len(confirmed)),
    }
    if heard.kind == "customer" and heard.device:
        found["device_is_new"] = float(heard.device not in memory.devices)
    return found


# --- fold --------------------------------------------------------------------


def evolve(memory: Entity, word: Message, _at_ms: int) -> Entity:
    """Return `memory` after `word`, heard or told."""
    match word:
        case CheckEntity():
            seen = features.as_seen(memory, _seen(word))
            return insert(memory, seen, place=_place(word), device=word.device)
        case NoteDecline():
            return insert(memory, _seen(word), place=None, device="")
        case LabelEntity(order_id=order_id, fraud=fraud, at_ms=at_ms):
            return label(memory, tag_of(order_id), fraud=fraud, at_ms=at_ms)
        case _:
            return memory


def _seen(word: CheckEntity | NoteDecline) -> Seen:
    return Seen(
        at_ms=word.at_ms,
        amount_minor=word.amount_minor,
        tag=tag_of(word.order_id),
        declined=isinstance(word, NoteDecline),
        met=word.met,
    )


def _place(word: CheckEntity) -> Place | None:
    if word.latitude is None or word.longitude is None:
        return None
    return Place(at_ms=word.at_ms, latitude=word.latitude, longitude=word.longitude)
