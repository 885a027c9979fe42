"""What the entities of a payment did: asked on `fraud.checks`, answered on `fraud.answers`.

Questions are keyed by the entity, `kind:id`; answers by order id.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workflows.payment.origin import Latitude, Longitude
from workflows.shared.limits import Currency, Milliseconds, MinorDue, Name
from workflows.shared.message import Message
from workflows.shared.personal import NamesPeople, Personal

Kind = Literal["customer", "card", "terminal", "device", "address"]
EntityKey = Annotated[str, Meta(min_length=3, max_length=140)]
"""An entity of a payment: its kind, a colon, its id."""
Tag = Annotated[str, Meta(max_length=32)]


class CheckPayment(Message, tag="payflow.fraud.check_payment.v1", frozen=True, kw_only=True):
    """Judge this payment by its customer alone. Only the first version emitted it."""

    transaction_id: Name = msgspec.field(name="order_id")
    customer: Personal[Name]
    guest: bool
    amount_minor: MinorDue
    currency: Currency
    country: Name
    ordered_at_ms: Milliseconds


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A figure over an exact window of an entity's payments."""

    function: Literal["count", "sum", "max", "declines", "distinct"]
    of: Kind
    window_seconds: Annotated[int, Meta(ge=1, le=2_592_000)]
    what: Kind | Literal[""] = ""
    """Of `distinct`: the other entities that are counted apart."""
    below_minor: Annotated[int, Meta(ge=0)] = 0
    """Only payments below this amount count; 0: all."""

    @property
    def name(self) -> str:
        """The key of its value, such as `count|card|300`."""
        parts = [self.function, self.of, str(self.window_seconds)]
        if self.what or self.below_minor:
            parts.append(self.what)
        if self.below_minor:
            parts.append(f"<{self.below_minor}")
        return "|".join(parts)


class CheckEntity(Message, tag="payflow.fraud.check_entity.v1", frozen=True, kw_only=True):
    """Answer with the history of this entity at the time of this payment, and add the payment."""

    transaction_id: Name = msgspec.field(name="order_id")
    entity: Personal[EntityKey]
    kind: Kind
    amount_minor: MinorDue
    at_ms: Milliseconds
    met: NamesPeople[tuple[Tag, ...]] = ()
    """Tags of the other entities."""
    device: Personal[Tag] = ""
    latitude: Personal[Latitude] | None = None
    longitude: Personal[Longitude] | None = None
    wants: tuple[Aggregate, ...] = ()
    """The aggregates that the current rules read."""


class NoteDecline(Message, tag="payflow.fraud.note_decline.v1", frozen=True, kw_only=True):
    """A payment of this entity was declined."""

    transaction_id: Name = msgspec.field(name="order_id")
    entity: Personal[EntityKey]
    kind: Kind
    amount_minor: MinorDue
    at_ms: Milliseconds
    met: NamesPeople[tuple[Tag, ...]] = ()


class LabelEntity(Message, tag="payflow.fraud.label_entity.v1", frozen=True, kw_only=True):
    """A payment of this entity is known, from `at_ms` on, to have been fraud, or not."""

    transaction_id: Name = msgspec.field(name="order_id")
    entity: Personal[EntityKey]
    kind: Kind
    fraud: bool
    at_ms: Milliseconds


CheckMessage = CheckPayment | CheckEntity | NoteDecline | LabelEntity


class EntityAnswered(Message, tag="payflow.fraud.entity_answered.v1", frozen=True, kw_only=True):
    """The history of one entity of the payment."""

    transaction_id: Name = msgspec.field(name="order_id")
    kind: Kind
    figures: dict[str, float] = {}
    aggregates: dict[str, float] = {}
    """By the names of the aggregates wanted."""
