"""The messages of a top-up, and their topics: the console writes one, the giftcard agent one."""

from typing import Literal

from workflows.shared.limits import Currency, Milliseconds, MinorDue, Name, NameIfAny, Text
from workflows.shared.message import Message
from workflows.shared.personal import Personal
from workflows.shared.topic import by, declare

Cause = Literal["payment_failed", "credit_refused", "fraud"]


class TopUpRequested(Message, tag="payflow.giftcard.requested.v1", frozen=True, kw_only=True):
    """Somebody wants `amount_minor` on a card, and pays for it."""

    top_up_id: Name
    card_id: Name
    customer_id: Personal[NameIfAny] = ""
    recipient: Personal[NameIfAny] = ""
    """Who is given the card."""
    wrapping: NameIfAny = ""
    country: Name
    currency: Currency
    amount_minor: MinorDue
    payment_method: Personal[Name]
    requested_at_ms: Milliseconds


class CreditRefused(Message, tag="payflow.giftcard.credit_refused.v1", frozen=True, kw_only=True):
    """It is paid, or will be, and cannot be credited: the money goes back."""

    top_up_id: Name
    reason: Text


class TopUpCredited(Message, tag="payflow.giftcard.credited.v1", frozen=True, kw_only=True):
    """The amount is on the card: the good end."""

    top_up_id: Name
    card_id: Name
    amount_minor: MinorDue


class TopUpCancelled(Message, tag="payflow.giftcard.cancelled.v1", frozen=True, kw_only=True):
    """Whatever was charged is refunded: the other end."""

    top_up_id: Name
    cause: Cause


CreditMessage = CreditRefused | TopUpCredited | TopUpCancelled

# --- topics -----------------------------------------------------------------

giftcards = declare(
    "giftcards", TopUpRequested, key=by("top_up_id"), writer="console", retention_ms=-1, traced=True
)
credits_ = declare(
    "giftcard.credits",
    CreditMessage,
    key=by("top_up_id"),
    writer="giftcard",
    retention_ms=-1,
    traced=True,
    kinds={"failure": (CreditRefused, TopUpCancelled)},
)
