"""The case to be judged: what is known, at which time, and what counts as still in motion.

Payflow is never still, so every check says what it allows for: an order in motion may be ahead in
one place and behind in another, and its SKUs by as many units as it moves. What has settled must
agree to the penny and the unit.
"""

from collections.abc import Iterable, Iterator

import msgspec

from app.operations.verification.facts import Facts, OrderFacts, ReturnFacts

OFFENDING_MAX = 50
"""Ids named by one check; its detail has the full count."""
SETTLE_MS = 2_000
"""How long after its latest event an order counts as in motion, for clocks and external systems."""
OPEN_MS_MAX = 1_050_000
"""When an order that has no row with deadlines counts as stuck: the sum of all its deadlines."""
RETURN_MS_MAX = 600_000
"""When an accepted return must be refunded and back on the shelf, a provider's outage included."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about Payflow: whether it holds, of how many things, and who breaks it."""

    name: str
    ok: bool
    checked: int
    offending: tuple[str, ...] = ()
    detail: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is known, and when it is judged."""

    facts: Facts
    now_ms: int
    settle_ms: int = SETTLE_MS

    def overdue(self, order_id: str, known: OrderFacts) -> bool:
        """Return whether the order is open past every deadline it has."""
        fallback_ms = (known.placed_ms or known.last_ms) + OPEN_MS_MAX
        return not known.ends and self.now_ms > self.facts.overdue_at_ms.get(order_id, fallback_ms)

    def moving(self, order_id: str, known: OrderFacts) -> bool:
        """Return whether effects of the order may still be under way."""
        if known.ends == 0:
            return not self.overdue(order_id, known)
        if order_id in self.facts.pending or self.fresh(known.last_ms):
            return True
        if any(self.fresh(at_ms) for at_ms in self._outside(order_id)):
            return True
        return any(
            not returned.settled and not self.late(returned) for returned in known.returns.values()
        )

    def _outside(self, order_id: str) -> Iterator[int]:
        """Yield when the external systems last did something."""
        for system in (self.facts.provider, self.facts.carrier):
            if system is not None and order_id in system:
                yield system[order_id].last_ms

    def fresh(self, at_ms: int) -> bool:
        """Return whether what happened at `at_ms` may not have come round yet."""
        return self.now_ms - at_ms < self.settle_ms

    def late(self, returned: ReturnFacts) -> bool:
        """Return whether the return should have been settled by now."""
        return self.now_ms - (returned.accepted_ms or returned.requested_ms) > RETURN_MS_MAX

    def settled(self) -> Iterator[tuple[str, OrderFacts]]:
        """Yield every order that is not in motion."""
        for order_id, known in self.facts.orders.items():
            if not self.moving(order_id, known):
                yield order_id, known


def found(name: str, checked: int, offending: Iterable[str], detail: str = "") -> Check:
    """Return the check: it holds when nothing is `offending`."""
    wrong = list(offending)
    if len(wrong) > OFFENDING_MAX:
        detail = f"{len(wrong)} offending, {OFFENDING_MAX} are named. {detail}".strip()
    return Check(
        name=name,
        ok=not wrong,
        checked=checked,
        offending=tuple(wrong[:OFFENDING_MAX]),
        detail=detail,
    )
