"""The risk agent: its answer about an entity, and the state of the entity.

One row an entity: a customer, a card, a terminal, a device, an address.
`workflows/fraud/features.py` has the model's figures, `workflows/fraud/windows.py` those of the
rules, `workflows/fraud/travel.py` the distance.
"""

from workflows.fraud import features, travel
from workflows.fraud.entity import DAY_MS, INITIAL, Attempt, Entity, Place, insert, label, tag_of
from workflows.fraud.entity_messages import CheckEntity, EntityAnswered, LabelEntity, NoteDecline
from workflows.fraud.windows import measure
from workflows.shared.message import Message

__all__ = ["INITIAL", "Entity", "decide", "evolve"]

CONFIRMED_MS = 30 * DAY_MS
"""How far back frauds count that are confirmed by now."""

# --- decide ----------------------------------------------------------------


def decide(state: Entity, received: Message, _at_ms: int) -> tuple[Message, ...]:
    """Return what the entity did up to the time of the payment, that payment included."""
    if not isinstance(received, CheckEntity):
        return ()
    attempt = _attempt(received)
    figures = _figures_of_all(state, attempt, received)
    if received.kind == "customer":
        figures |= features.of_customer(state, attempt) | travel.of(state.place, _place(received))
    if received.kind == "terminal":
        figures |= features.of_terminal(state, attempt)
    return (
        EntityAnswered(
            transaction_id=received.transaction_id,
            kind=received.kind,
            figures=figures,
            aggregates={
                aggregate.name: measure(state, attempt, aggregate)
                for aggregate in received.wants
                if aggregate.of == received.kind
            },
        ),
    )


def _figures_of_all(state: Entity, attempt: Attempt, received: CheckEntity) -> dict[str, float]:
    """Return the figures of every entity: since when it is known, its confirmed frauds."""
    since_ms = attempt.at_ms if state.since_ms is None else min(state.since_ms, attempt.at_ms)
    confirmed = [
        each
        for each in state.seen
        if 0 < each.fraud_at_ms <= attempt.at_ms and each.at_ms > attempt.at_ms - CONFIRMED_MS
    ]
    figures = {
        f"{received.kind}_known_days": (attempt.at_ms - since_ms) / DAY_MS,
        f"{received.kind}_confirmed_frauds": float(len(confirmed)),
    }
    if received.kind == "customer" and received.device:
        figures["device_is_new"] = float(received.device not in state.devices)
    return figures


# --- evolve --------------------------------------------------------------------


def evolve(state: Entity, message: Message, _at_ms: int) -> Entity:
    """Return `state` after `message`, received or emitted."""
    match message:
        case CheckEntity():
            attempt = features.with_suspicion(state, _attempt(message))
            return insert(state, attempt, place=_place(message), device=message.device)
        case NoteDecline():
            return insert(state, _attempt(message), place=None, device="")
        case LabelEntity(transaction_id=transaction_id, fraud=fraud, at_ms=at_ms):
            return label(state, tag_of(transaction_id), fraud=fraud, at_ms=at_ms)
        case _:
            return state


def _attempt(message: CheckEntity | NoteDecline) -> Attempt:
    return Attempt(
        at_ms=message.at_ms,
        amount_minor=message.amount_minor,
        tag=tag_of(message.transaction_id),
        declined=isinstance(message, NoteDecline),
        met=message.met,
    )


def _place(message: CheckEntity) -> Place | None:
    if message.latitude is None or message.longitude is None:
        return None
    return Place(at_ms=message.at_ms, latitude=message.latitude, longitude=message.longitude)
