"""Top-ups over HTTP, and those of a drill."""

from random import Random

import msgspec
from workflows.giftcard.messages import TopUpRequested
from workflows.giftcard.process import BLOCKED

from app.entrypoints.drill_load import DrillLoad, LoadCase, LoadRequest
from app.entrypoints.requests import Entrypoint, StartingRequest
from workflows.shared.limits import Currency, MinorDue, Name, NameIfAny
from workflows.shared.personal import Personal


class TopUpAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /giftcards`."""

    card_id: Name
    country: Name
    currency: Currency
    amount_minor: MinorDue
    payment_method: Personal[Name]
    customer_id: Personal[NameIfAny] = ""
    recipient: Personal[NameIfAny] = ""
    wrapping: NameIfAny = ""


def requested(top_up_id: str, body: TopUpAsked, at_ms: int) -> TopUpRequested:
    """Return the top-up that `body` asks for at `at_ms`."""
    return TopUpRequested(
        top_up_id=top_up_id, requested_at_ms=at_ms, **msgspec.structs.asdict(body)
    )


def case(seed: int, number: int, random: Random, hot: bool) -> LoadCase:
    """Return top-up `number` of a drill; now and then of a card that takes none."""
    key = f"drill:{seed}:{number}"
    blocked = not hot and random.random() < 0.1
    body = {
        "card_id": f"{BLOCKED if blocked else 'card'}-{number}",
        "country": "France",
        "currency": "GBP",
        "amount_minor": random.randint(500, 5_000),
        "payment_method": "pm_card_visa",
    }
    return LoadCase(
        start=LoadRequest(path="/giftcards", body=body, idempotency_key=key),
        then=(),
    )


ENTRYPOINT = Entrypoint(
    workflow="giftcard",
    path="/giftcards",
    listed_as="top_ups",
    start=StartingRequest(
        summary="Top up a gift card",
        body=TopUpAsked,
        message=requested,
        baggage=lambda message: {"country": message.country},
        event="requested",
    ),
    follow=(),
)
LOAD = DrillLoad(case=case)
