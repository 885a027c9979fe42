"""The bank of the simulated customers: it opens disputes over charges, and decides them, by seed.

An inquiry moves no money and may become a chargeback, which takes what the charge still holds and a
fee. A dispute that the bank decides for us brings both back.
"""

from typing import Any

import msgspec

from tests.support.simulation.troubles import Troubles
from workflows.payment import provider_dispute_messages as d
from workflows.payment.provider_messages import ProviderNotified
from workflows.shared.message import Message

FEE_MINOR = 1_500
BEGAN_MS, DAY_MS = 1_700_000_000_000, 86_400_000
"""When each scenario begins."""
NEEDS_RESPONSE = ("warning_needs_response", "needs_response")
CHARGEBACK = ("needs_response", "under_review", "lost")
CLOSED = ("warning_closed", "won", "lost")


class Dispute(msgspec.Struct, kw_only=True):
    """One dispute, and what it has moved."""

    order_id: str
    status: d.Status
    reason: str
    amount_minor: int
    currency: str
    withdrawn_minor: int = 0
    reinstated_minor: int = 0

    @property
    def id(self) -> str:
        """Return the provider's id: a charge is disputed once."""
        return f"du-{self.order_id}"


class Bank:
    """Every dispute by order. A webhook about one may be late or come twice; none is lost for good.

    The list of the provider's events has what a console has missed.
    """

    def __init__(self, troubles: Troubles) -> None:
        self.troubles = troubles
        self.disputes: dict[str, Dispute] = {}
        self.notices: list[Message] = []
        """Webhooks that are on their way."""
        self._sent = 0

    def complains(self, order_id: str, left_minor: int, currency: str, rate: float) -> None:
        """Open a dispute over what is left of a charge, now and then."""
        if order_id in self.disputes or left_minor <= 0:
            return
        if not self.troubles.strikes("disputed", rate):
            return
        is_inquiry = self.troubles.pick("disputed", (True, False, False))
        reason = self.troubles.pick("disputed", ("fraudulent", "product_not_received"))
        dispute = Dispute(
            order_id=order_id,
            status="warning_needs_response",
            reason=reason,
            amount_minor=left_minor,
            currency=currency,
        )
        self.disputes[order_id] = dispute
        if not is_inquiry:
            self._take(dispute, left_minor)
        self._notice(dispute)

    def decide(self, dispute: Dispute, left_minor: int) -> None:
        """Let the bank go on with a dispute, by and by."""
        if dispute.status in CLOSED or self.troubles.strikes("bank waits", 0.97):
            return
        if dispute.status not in CHARGEBACK:
            if left_minor > 0 and self.troubles.strikes("inquiry escalated", 0.5):
                self._take(dispute, left_minor)
            else:
                dispute.status = "warning_closed"
        elif self.troubles.strikes("dispute lost", 0.5):
            dispute.status = "lost"
        else:
            dispute.status, dispute.reinstated_minor = "won", dispute.withdrawn_minor
        self._notice(dispute)

    def answer(self, command: Any) -> Message:
        """Return the dispute as it is after a command."""
        dispute = self.disputes.get(command.transaction_id)
        if dispute is None or dispute.id != command.dispute_id:
            return d.DisputeRefused(
                transaction_id=command.transaction_id,
                dispute_id=command.dispute_id,
                attempt=command.attempt,
                is_absent=True,
                reason="there is none",
            )
        is_inquiry = dispute.status == "warning_needs_response"
        is_meant = getattr(command, "stage", "") in ("", "inquiry" if is_inquiry else "chargeback")
        is_answer = is_meant and not isinstance(command, d.InquireDispute)
        if dispute.status in NEEDS_RESPONSE and is_answer:
            if isinstance(command, d.CloseDispute):
                dispute.status = "warning_closed" if is_inquiry else "lost"
            else:
                dispute.status = "warning_under_review" if is_inquiry else "under_review"
            self._notice(dispute)
        return self._report(dispute, command.attempt)

    def has_money(self, order_id: str) -> bool:
        """Return whether a chargeback has what was charged, so that it cannot be refunded."""
        dispute = self.disputes.get(order_id)
        return dispute is not None and dispute.status in CHARGEBACK

    def kept_minor(self, order_id: str) -> int:
        """Return what the bank has of an order."""
        dispute = self.disputes.get(order_id)
        return dispute.withdrawn_minor - dispute.reinstated_minor if dispute else 0

    def fees_minor(self, order_id: str) -> int:
        """Return what the provider keeps for the dispute of an order."""
        return FEE_MINOR if self.kept_minor(order_id) else 0

    def arriving(self) -> list[Message]:
        """Return the webhooks that arrive now; those that are late come at another time."""
        come = [each for each in self.notices if not self.troubles.strikes("webhook late", 0.5)]
        self.notices = [each for each in self.notices if each not in come]
        return come

    def _take(self, dispute: Dispute, left_minor: int) -> None:
        dispute.status = "needs_response"
        dispute.amount_minor = dispute.withdrawn_minor = left_minor

    def _report(self, dispute: Dispute, attempt: int) -> Message:
        is_back = dispute.reinstated_minor > 0
        return d.DisputeReported(
            transaction_id=dispute.order_id,
            dispute_id=dispute.id,
            attempt=attempt,
            status=dispute.status,
            reason=dispute.reason,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
            withdrawn_minor=dispute.withdrawn_minor,
            fee_minor=FEE_MINOR if dispute.withdrawn_minor else 0,
            reinstated_minor=dispute.reinstated_minor,
            fee_returned_minor=FEE_MINOR if is_back else 0,
            due_by_ms=BEGAN_MS + 14 * DAY_MS,
            is_charge_refundable=dispute.status not in CHARGEBACK,
        )

    def _notice(self, dispute: Dispute) -> None:
        for _ in range(2 if self.troubles.strikes("call-back doubled", 0.25) else 1):
            self._sent += 1
            self.notices.append(
                ProviderNotified(
                    transaction_id=dispute.order_id,
                    notice_id=f"{dispute.id}/{self._sent}",
                    kind="dispute_changed",
                    payment_id=f"pi-{dispute.order_id}",
                    amount_minor=dispute.amount_minor,
                    dispute_id=dispute.id,
                )
            )
