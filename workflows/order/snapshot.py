"""What `verify` knows of orders at one moment, and which of them are still in motion.

Services may be ahead of or behind each other about an order in motion, and about its SKUs by as
many units as it moves; the checks allow for that. Orders at rest must agree to the penny
and the unit.
"""

from collections.abc import Iterator

import msgspec

from workflows.order.facts import Facts, OrderFacts, ReturnFacts
from workflows.shared.invariants import Moment

OPEN_MS_MAX = 1_050_000
"""When an order that has no row with deadlines counts as stuck: the sum of all its deadlines."""
RETURN_MS_MAX = 600_000
"""When an accepted return must be refunded and back on the shelf, a provider's outage included."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The facts, and the moment at which they are checked."""

    facts: Facts
    moment: Moment

    def overdue(self, order_id: str, order: OrderFacts) -> bool:
        """Return whether the order is open past every deadline it has."""
        began_ms = max(order.placed_ms or order.last_ms, order.action_until_ms)
        fallback_ms = began_ms + OPEN_MS_MAX
        return not order.ends and self.moment.now_ms > self.facts.overdue_at_ms.get(
            order_id, fallback_ms
        )

    def awaits_action(self, order: OrderFacts) -> bool:
        """Return whether the payment of an open order waits for the customer or the bank."""
        is_over = order.is_paid or order.ends
        return not is_over and self.moment.now_ms <= order.action_until_ms

    def moving(self, order_id: str, order: OrderFacts) -> bool:
        """Return whether effects of the order may still be under way."""
        if order.ends == 0:
            return not self.overdue(order_id, order)
        if order_id in self.moment.pending or self.moment.fresh(order.last_ms):
            return True
        if order.refunds_pending or self._refund_under_way(order):
            return True
        if any(self.moment.fresh(at_ms) for at_ms in self._outside(order_id)):
            return True
        return any(
            not returned.is_over and not self.late(returned) for returned in order.returns.values()
        )

    def _refund_under_way(self, order: OrderFacts) -> bool:
        """Return whether money for lines that have not left is still on its way back."""
        is_late = self.moment.now_ms - order.last_ms > RETURN_MS_MAX
        return order.unshipped_due_minor > 0 and not order.unshipped_refunds and not is_late

    def _outside(self, order_id: str) -> Iterator[int]:
        """Yield when the external systems last did something."""
        for system in (self.moment.provider, self.moment.carrier):
            if system is not None and order_id in system:
                yield system[order_id].last_ms

    def late(self, returned: ReturnFacts) -> bool:
        """Return whether the return should be over by now."""
        return self.moment.now_ms - (returned.accepted_ms or returned.requested_ms) > RETURN_MS_MAX

    def orders_at_rest(self) -> Iterator[tuple[str, OrderFacts]]:
        """Yield every order that is not in motion, and of which the provider has no news for us."""
        for order_id, order in self.facts.orders.items():
            if not (self.moving(order_id, order) or self._news_is_due(order_id)):
                yield order_id, order

    def _news_is_due(self, order_id: str) -> bool:
        """Return whether a webhook of the order may still be on its way, or lost and not found."""
        record = (self.moment.provider or {}).get(order_id)
        unasked_ms = record.unasked_ms if record else 0
        return self.moment.now_ms - unasked_ms < self.moment.notice_ms
