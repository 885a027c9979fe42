"""A world whose operator answers every case, in texts as long as the routes of the API take."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec

from app.auth.operators import Person
from app.console.api.capture_cases import CaptureDecisionAsked
from app.console.api.dispute_cases import DisputeAnswerAsked
from app.console.api.refund_cases import DecisionAsked
from app.entrypoints.capture_cases import CAPTURE_CASES
from app.entrypoints.case_requests import DisputeDecision, RefundDecision
from app.entrypoints.dispute_cases import DISPUTE_CASES
from app.entrypoints.refund_cases import REFUND_CASES
from app.entrypoints.requests import Emission
from tests.support.simulation.bank import NEEDS_RESPONSE
from tests.support.simulation.troubles import Troubles
from tests.support.simulation.world import World

CASES = ("capture refused", "refund fails later", "disputed", "inquiry escalated")
"""Faults after which an operator has to decide."""
BANK_WAITS = "bank waits"
LENGTHS = range(1, 10_000)

Emit = Callable[[World, Emission, dict[str, str]], bool]


class Certain(Troubles):
    """Each fault of some kinds strikes whenever it can, and no other ever does."""

    def __init__(self, seed: int, kinds: frozenset[str]) -> None:
        super().__init__(seed)
        self.kinds = kinds

    def strikes(self, kind: str, rate: float) -> bool:
        """Return whether it is one of the kinds."""
        return super().strikes(kind, 0 * rate) or kind in self.kinds


class OperatedWorld(World):
    """Each case is decided once a round: to try again at first, for good when it comes again."""

    def __init__(
        self,
        seed: int,
        kinds: frozenset[str],
        loop: asyncio.AbstractEventLoop,
        emit: Emit,
        character: str,
    ) -> None:
        self.certain = Certain(seed, kinds | {BANK_WAITS})
        super().__init__(seed, self.certain, loop)
        self.decided: set[tuple[str, object]] = set()
        """The case and the round of each decision."""
        self._kinds = kinds
        self._emit = emit
        self._character = character

    def _decide(self) -> None:
        for order_id in self.provider.currencies:
            for case, emission in self._decisions(order_id, self.state("payment", order_id)):
                if case not in self.decided:
                    self.decided.add(case)
                    assert self._emit(self, emission, {})
        # The bank goes on with what is answered alone.
        disputes = self.provider.bank.disputes.values()
        goes_on = disputes and not any(each.status in NEEDS_RESPONSE for each in disputes)
        self.certain.kinds = self._kinds if goes_on else self._kinds | {BANK_WAITS}

    def _decisions(
        self, order_id: str, payment: Any
    ) -> Iterator[tuple[tuple[str, object], Emission]]:
        """Yield each case that waits, with its round, and what is decided about it."""
        who = longest(Person, "name", self._character)
        for key, failed_round in REFUND_CASES.waiting(payment).items():
            reference = longest(DecisionAsked, "reference", self._character)
            decision = RefundDecision(
                transaction_id=order_id,
                refund_key=key,
                failed_round=failed_round,
                decision="retry" if failed_round == 1 else "settled",
                reference=reference,
                amount_minor=REFUND_CASES.due(payment, key, reference).amount_minor,
                decided_by=who,
            )
            yield (key, failed_round), REFUND_CASES.decide(decision)
        failed_round = CAPTURE_CASES.waiting(payment)
        if failed_round is not None:
            reference = longest(CaptureDecisionAsked, "reference", self._character)
            what = "written_off" if failed_round else "retry"
            yield (
                ("capture", failed_round),
                CAPTURE_CASES.decide(order_id, failed_round, what, reference, who),
            )
        text = longest(DisputeAnswerAsked, "text", self._character)
        answers = (("refund", DISPUTE_CASES.holding), ("submit", DISPUTE_CASES.waiting))
        for what, waiting in answers:
            for dispute_id, dispute in waiting(payment).items():
                answer = DisputeDecision(
                    transaction_id=order_id,
                    dispute_id=dispute_id,
                    decided=dispute,
                    decision=what,
                    text=text,
                    decided_by=who,
                )
                yield (f"{what} {dispute_id}", dispute.stage), DISPUTE_CASES.decide(answer)


@cache
def longest(body: type[msgspec.Struct], field: str, character: str) -> str:
    """Return the longest text of `character` that a body takes in `field`; of `x` where of none."""
    kind = next(each.type for each in msgspec.structs.fields(body) if each.name == field)
    for each in (character, "x"):
        chars = bisect_left(LENGTHS, True, key=lambda most: not _takes(kind, each * most))  # noqa: FBT003
        assert chars < len(LENGTHS), f"{field} has no limit"
        if chars:
            return each * chars
    raise AssertionError(f"{field} takes no text")


def _takes(kind: Any, text: str) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True
