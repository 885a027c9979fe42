"""What is known of the refunds of one charge.

Part of `workflows/payment/refund.py`, which says what is asked and emitted.
"""

from typing import Literal

import msgspec

from workflows.shared.retry import Wait

Status = Literal[
    "owed", "asked", "pending", "given", "told", "failed", "case", "covered", "settled"
]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider has refunded when it was asked for more: PaymentRefunded says so."""

    refund_id: str
    amount_minor: int
    round: int


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
    hint: Literal["", "waits", "noticed", "asked"] = ""
    """The provider is to be asked what has become of it, or was."""
    overdue: Literal["", "noticed", "told"] = ""
    parts: tuple[Part, ...] = ()
    """What is refunded already; `amount_minor` is what is left."""
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


class Refunds(msgspec.Struct, frozen=True, kw_only=True):
    """All refunds of one charge, by refund key."""

    by_key: dict[str, Refund] = {}
    changed_ids: tuple[str, ...] = ()
    """Refunds that a webhook was about before an answer has named them."""
    wait: Wait = Wait()
