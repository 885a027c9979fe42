"""What is known of an order as a whole, step by step."""

import msgspec
from msgspec.structs import replace

from workflows.order.disputes import Dispute
from workflows.order.returns import Returns
from workflows.order.saga_messages import Cause, Step
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.personal import Personal

# --- state ------------------------------------------------------------------


class Mark(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The status of a step, and since when (ms)."""

    status: str = "waiting"
    at_ms: int = 0


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer, or the provider, has to do before the payment goes on."""

    url: str = ""
    """Where the customer confirms it; empty: the provider has to act."""
    until_ms: int = 0
    """When payment voids the charge instead."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What one order remembers. Moments are ms, 0 while they have not come."""

    order_id: str = ""
    """Empty until the order is placed."""
    customer_id: Personal[str] = ""
    """Empty: a guest, or an order from before the field."""
    country: str = ""
    currency: str = ""
    total_minor: int = 0
    bought: dict[str, int] = {}
    """Units by SKU."""
    placed_at_ms: int = 0
    payment: Mark = Mark()
    """waiting, pending, action_required, processing, failed, authorized, voided, completed,
    refunding, refunded, disputed, charged_back, written_off"""
    action: Action = Action()
    inventory: Mark = Mark()
    """waiting, reserved, rejected, released"""
    fraud: Mark = Mark()
    """waiting, cleared, detected"""
    shipping: Mark = Mark()
    """waiting, created, failed, cancelled"""
    delivery: Mark = Mark()
    """waiting, delivered"""
    authorized_minor: int = 0
    """What was held on the card, where money was not taken at once."""
    charged_minor: int = 0
    let_go_minor: int = 0
    """What of the hold was not taken, since not all lines ship."""
    unshipped_refunded_minor: int = 0
    """What was refunded for lines that do not ship, where the money had been taken at once."""
    compensated_minor: int = 0
    covered_minor: int = 0
    """What of these two refunds a bank has refunded, so that we do not."""
    cause: Cause | None = None
    """Why it is being compensated: the first cause received."""
    detail: str = ""
    cause_at_ms: int = 0
    confirmed_at_ms: int = 0
    completed_at_ms: int = 0
    cancelled_at_ms: int = 0
    overdue: tuple[Step, ...] = ()
    """The steps that were reported overdue."""
    woken_at_ms: int = 0
    """Deadlines up to this moment have passed."""
    returns: Returns = Returns()
    disputes: dict[str, Dispute] = {}
    """By the provider's id."""


INITIAL = Order()


def kept_minor(state: Order) -> int:
    """Return what was charged, without what goes back for lines that do not ship."""
    return max(0, state.charged_minor + state.let_go_minor - state.returns.released_minor)


def is_all_back(state: Order) -> bool:
    """Return whether the customer has back what was taken for an order that ships nothing.

    What was taken for lines that were not to ship is a refund of its own, and may take longer.
    """
    if state.returns.partial is None:
        return True
    back_minor = state.compensated_minor + state.unshipped_refunded_minor + state.covered_minor
    return back_minor >= state.charged_minor


UNPAID = ("waiting", "pending", "action_required", "processing")
"""The statuses of a payment of which the outcome is not known."""


def blame(cause: Cause, detail: str, state: Order, at_ms: int) -> Order:
    """Return `state` with why it is being compensated, unless something else came first."""
    if state.cause or state.completed_at_ms:
        return state
    return replace(state, cause=cause, detail=detail[:TEXT_CHARS_MAX], cause_at_ms=at_ms)
