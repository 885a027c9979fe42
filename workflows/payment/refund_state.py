"""What is known of the refunds of one charge.

Part of `workflows/payment/refund.py`, which says what is asked and emitted.
"""

from typing import Literal

import msgspec

from workflows.shared.retry import Wait

Hint = Literal["", "waits", "noticed", "asked"]
"""Whether the provider is to be asked what has become of a refund, or was."""
Status = Literal[
    "owed", "asked", "pending", "given", "told", "failed", "case", "covered", "settled"
]


ROUNDS = 2
"""Refunds of one key: Stripe fails one when the card is closed, and a second one as well."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider has refunded when it was asked for more: PaymentRefunded says so."""

    refund_id: str
    amount_minor: int
    round: int
    by_hand: bool = False
    at_provider: bool = False
    asks: int = 0
    hint: Hint = ""
    is_failed: bool = False
    """The provider says so, and PaymentRefundFailed is to be emitted, which ends the part."""
    reason: str = ""
    """Why it has failed."""


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund: due, requested, pending, refunded by the provider, emitted; or failed."""

    amount_minor: int
    status: Status = "owed"
    refund_id: str = ""
    """Of the refund of this round; empty while the provider has named none."""
    requested_at_ms: int = 0
    """Not later than it was first requested; 0 in rows older than this field."""
    asked_at_ms: int = 0
    """When it was first requested; 0 before that, and in rows older than this field."""
    reason: str = ""
    """Why it is not known, or has failed."""
    round: int = 0
    """How many refunds of this key have failed."""
    is_posted: bool = False
    """Whether the refund of this round was emitted as PaymentRefunded."""
    pending_emitted: bool = False
    """Whether the refund of this round was emitted as PaymentRefundPending."""
    case_emitted: bool = False
    by_hand: bool = False
    """An operator has paid it another way; `refund_id` says how."""
    at_provider: bool = False
    """An operator has found it at the provider, where somebody made it without a key of ours."""
    asks: int = 0
    """How often the provider was asked in this round."""
    hint: Hint = ""
    overdue: Literal["", "noticed", "told"] = ""
    parts: tuple[Part, ...] = ()
    """What is refunded already; `amount_minor` is what is left."""
    back_minor: int = 0
    """What of its parts has failed: it is due again once this round is over."""
    back_is_case: bool = False
    """Whether some of that was asked for often enough, so that an operator decides."""
    rest_is_due: bool = False
    """Whether an operator has decided already that what it lacks is asked for again."""
    short_minor: int = 0
    """What the refund of this round lacks: once that is emitted, it is a case of the next one."""
    held_emitted: bool = False
    covered_minor: int = 0
    covered_emitted_minor: int = 0
    """What of it a bank has refunded, and was emitted; `amount_minor` is what is left."""
    refusals: int = 0
    is_refused: bool = False
    """How often the provider has refused it for a dispute, and whether at last."""


def paid_minor(refund: Refund) -> int:
    """Return what the provider or a bank has refunded of it before this round."""
    return refund.covered_minor + sum(each.amount_minor for each in refund.parts)


def is_hinted(refund: Refund) -> bool:
    """Return whether the provider is to be asked about it, or one of its parts, or was."""
    return bool(refund.hint) or any(part.hint for part in refund.parts)


class Refunds(msgspec.Struct, frozen=True, kw_only=True):
    """All refunds of one charge, by refund key."""

    by_key: dict[str, Refund] = {}
    changed_ids: tuple[str, ...] = ()
    """Refunds that a webhook was about before an answer has named them."""
    wait: Wait = Wait()
