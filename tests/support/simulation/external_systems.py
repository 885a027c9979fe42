"""The external systems of the simulated instance: a provider and a carrier that misbehave by seed.

Both keep books of their own. They are the independent witnesses of what really happened.
"""

from random import Random
from typing import Any

from app.delivery.agent import Transient
from app.wire.envelope import derive_id
from tests.support.simulation.bank import Bank
from tests.support.simulation.troubles import Troubles
from workflows.notification import messages as n
from workflows.payment import provider_capture_messages as h
from workflows.payment import provider_messages as p
from workflows.payment.action_messages import ChargeActionRequired, ChargeProcessing
from workflows.payment.provider_dispute_messages import DisputeCommand, DisputeUnknown
from workflows.shared.message import Message
from workflows.shipping import carrier_messages as c

ACTION_SECONDS, PROCESSING_SECONDS = 3_600, 86_400
"""How long a customer may take to confirm, and the provider to process."""


def _copies(troubles: Troubles) -> int:
    """Return how often a call-back arrives: once, twice or never."""
    if troubles.strikes("call-back lost", 0.25):
        return 0
    return 2 if troubles.strikes("call-back doubled", 0.25) else 1


class Provider:
    """Charges once per order by construction; answers get lost, refunds wait and fail."""

    def __init__(self, random: Random, troubles: Troubles, trouble: float) -> None:
        self.random = random
        self.troubles = troubles
        self.trouble = trouble
        self.charged: dict[str, int] = {}
        self.held: dict[str, int] = {}
        """What was held at first, where money is taken later."""
        self.refused: set[tuple[str, int]] = set()
        """Order and round of each capture that was refused."""
        self.declined: set[str] = set()
        self.voided: set[str] = set()
        self.unconfirmed: dict[str, tuple[str, Any]] = {}
        """Who has to act before a charge goes on, and the command that began it, by order."""
        self.refunds: dict[tuple[str, str, int], int] = {}
        """Of an order, a key and a round: minor units."""
        self.states: dict[tuple[str, str, int], str] = {}
        self.notices: list[Message] = []
        self.currencies: dict[str, str] = {}
        self.bank = Bank(troubles)

    async def call(self, command: Any) -> tuple[Message, ...]:
        """Answer a provider command."""
        if isinstance(command, p.ChargeCard | h.CaptureCharge):
            self.currencies[command.transaction_id] = command.currency
        if self.troubles.strikes("request lost", self.trouble / 2):
            return (self.unknown(command, "never arrived"),)
        if isinstance(command, p.RefundCharge | p.InquireRefund):
            answer = self._refund(command)
        elif isinstance(command, h.CaptureCharge):
            answer = self._capture(command)
        elif isinstance(command, DisputeCommand):
            answer = self.bank.answer(command)
        else:
            answer = self._charge(command)
        if self.troubles.strikes("answer lost", self.trouble / 2):
            return (self.unknown(command, "the answer got lost"),)
        return (answer,)

    def _charge(self, command: Any) -> Message:
        order_id = command.transaction_id
        over = order_id in self.charged or order_id in self.declined
        who = self.unconfirmed.get(order_id, ("", None))[0]
        if isinstance(command, p.VoidCharge) and not over and who != "processing":
            self.voided.add(order_id)
            self.unconfirmed.pop(order_id, None)
        if order_id in self.voided:
            return p.ChargeVoided(transaction_id=order_id, attempt=getattr(command, "attempt", 0))
        if order_id in self.held and order_id not in self.charged:
            return self._held(command)
        who = who or ("" if over else self._who_acts())
        if who:
            self.unconfirmed[order_id] = who, command
            return _waits(command, who)
        if not over:
            if self.troubles.strikes("declined", self.trouble / 2):
                self.declined.add(order_id)
            elif command.capture == "manual":
                self.held[order_id] = command.amount_minor
                self._notice(order_id, command.amount_minor)
                return self._held(command)
            else:
                self.charged[order_id] = command.amount_minor
            self._notice(order_id, command.amount_minor)
        if order_id in self.declined:
            attempt = getattr(command, "attempt", 0)
            return p.ChargeDeclined(
                transaction_id=order_id, attempt=attempt, reason="card_declined"
            )
        return p.ChargeSucceeded(
            transaction_id=order_id,
            payment_id=f"pi-{order_id}",
            amount_minor=self.charged[order_id],
        )

    def _held(self, command: Any) -> Message:
        """Say what is held; now and then the hold ends without a word of ours."""
        order_id, attempt = command.transaction_id, getattr(command, "attempt", 0)
        if self.troubles.strikes("hold ended", self.trouble / 4):
            self.end_hold(order_id)
            return p.ChargeVoided(transaction_id=order_id, attempt=attempt)
        return h.ChargeAuthorized(
            transaction_id=order_id,
            payment_id=f"pi-{order_id}",
            amount_minor=self.held[order_id],
            currency=command.currency,
            capture_before_ms=1_700_000_000_000 + 7 * 86_400_000,
            attempt=attempt,
        )

    def end_hold(self, order_id: str) -> None:
        """Let a hold end by itself, as it does after days."""
        self.voided.add(order_id)
        self._notice(order_id, self.held[order_id])

    def _capture(self, command: h.CaptureCharge) -> Message:
        order_id, trouble = command.transaction_id, self.trouble
        key = order_id, command.round
        about = {"transaction_id": order_id, "round": command.round}
        if order_id not in self.charged and key not in self.refused:
            if not command.round and self.troubles.strikes("hold ended", trouble / 4):
                self.end_hold(order_id)
            if self.troubles.strikes("capture refused", trouble / 2):
                self.refused.add(key)
        if order_id not in self.charged:
            is_void = order_id in self.voided
            if key in self.refused or (is_void and not command.round):
                self.refused.add(key)
                return h.CaptureRefused(**about, is_void=is_void, reason="expired")
            short = self.troubles.strikes("captured short", trouble / 8)
            self.charged[order_id] = command.amount_minor - int(short)
            self._notice(order_id, self.charged[order_id])
        return h.ChargeCaptured(
            **about,
            payment_id=f"pi-{order_id}",
            amount_minor=self.charged[order_id],
            currency=command.currency,
        )

    def _who_acts(self) -> str:
        """Return who has to act before a new charge goes on; empty: nobody."""
        if self.troubles.strikes("action required", self.trouble / 3):
            return str(self.troubles.pick("action required", ("customer", "nobody")))
        return "processing" if self.troubles.strikes("processing", self.trouble / 6) else ""

    def charge_voided(self, order_id: str, amount_minor: int) -> Message:
        """Charge what was said to be voided; return the webhook, which is not lost."""
        self.voided.discard(order_id)
        self.charged[order_id] = amount_minor
        return p.ProviderNotified(
            transaction_id=order_id,
            notice_id=f"{order_id}/after all",
            kind="payment_succeeded",
            payment_id=f"pi-{order_id}",
            amount_minor=amount_minor,
        )

    def act(self) -> None:
        """Let customers, the provider and banks go on; now and then, by and by."""
        self.confirm()
        with self.troubles.apart():
            self._dispute(self.trouble / 40)
            for dispute in self.bank.disputes.values():
                self.bank.decide(dispute, self._left_minor(dispute.order_id))
            self.notices += self.bank.arriving()

    def confirm(self) -> None:
        """Let customers confirm, or fail to, and charges be processed."""
        for order_id, (who, command) in list(self.unconfirmed.items()):
            if who == "nobody" or not self.troubles.strikes(f"{who} acts", 0.05):
                continue
            del self.unconfirmed[order_id]
            if self.troubles.strikes(f"{who} fails", 0.3):
                self.declined.add(order_id)
            elif command.capture == "manual":
                self.held[order_id] = command.amount_minor
            else:
                self.charged[order_id] = command.amount_minor
            self._notice(order_id, command.amount_minor)

    def complain(self) -> None:
        """Let customers dispute what was charged before, now and then."""
        self._dispute(self.trouble / 2)

    def _dispute(self, rate: float) -> None:
        for order_id in self.charged:
            self.bank.complains(
                order_id, self._left_minor(order_id), self.currencies[order_id], rate
            )

    def _left_minor(self, order_id: str) -> int:
        """Return what of a charge is not refunded, nor about to be."""
        back = sum(
            amount
            for key, amount in self.refunds.items()
            if key[0] == order_id and self.states[key] != "failed"
        )
        return self.charged[order_id] - back

    def _refund(self, command: p.RefundCharge | p.InquireRefund) -> Message:
        key = command.transaction_id, command.refund_key, command.round
        # A provider's own ids are short, however long the names are that it was given.
        about = {
            "transaction_id": command.transaction_id,
            "refund_key": command.refund_key,
            "refund_id": f"re-{derive_id(*key)}",
            "round": command.round,
        }
        if key not in self.refunds and self.bank.has_money(command.transaction_id):
            return p.RefundRefused(
                transaction_id=command.transaction_id,
                refund_key=command.refund_key,
                round=command.round,
                reason="charge_disputed",
                dispute_id=self.bank.disputes[command.transaction_id].id,
            )
        if isinstance(command, p.RefundCharge) and key not in self.refunds:
            self.refunds[key] = command.amount_minor
            self.states[key] = self._first_state(key, about["refund_id"])
            if self.states[key] == "fails later":
                # What is answered now is not true for long.
                self.states[key] = "failed"
                return p.RefundSucceeded(
                    **about, attempt=command.attempt, amount_minor=command.amount_minor
                )
        elif self.states[key] == "pending" and not self.troubles.strikes("refund waits", 0.3):
            fails = self.troubles.strikes("refund failed", self.trouble / 2)
            self.states[key] = "failed" if fails else "succeeded"
        if self.states[key] == "failed":
            return p.RefundFailed(**about, reason="expired_or_canceled_card")
        if self.states[key] == "pending":
            return p.RefundPending(**about, attempt=command.attempt, status="pending")
        return p.RefundSucceeded(**about, attempt=command.attempt, amount_minor=self.refunds[key])

    def _first_state(self, key: tuple[str, str, int], refund_id: str) -> str:
        """Return the first state of a refund. One that fails later says so by a webhook."""
        if self.troubles.strikes("refund pending", self.trouble / 2):
            return "pending"
        if not self.troubles.strikes("refund fails later", self.trouble / 4):
            return "succeeded"
        order_id = key[0]
        for copy in range(2 if self.troubles.strikes("call-back doubled", 0.25) else 1):
            self.notices.append(
                p.ProviderNotified(
                    transaction_id=order_id,
                    notice_id=f"{refund_id}/{copy}",
                    kind="refund_changed",
                    payment_id=f"pi-{order_id}",
                    amount_minor=self.refunds[key],
                    refund_id=refund_id,
                )
            )
        return "fails later"

    def unknown(self, command: Any, reason: str) -> Message:
        """Return the answer to a command of which nobody knows what came of it."""
        attempt = getattr(command, "attempt", 0)
        if isinstance(command, p.RefundCharge | p.InquireRefund):
            return p.RefundUnknown(
                transaction_id=command.transaction_id,
                refund_key=command.refund_key,
                attempt=attempt,
                round=command.round,
                reason=reason,
            )
        if isinstance(command, h.CaptureCharge):
            about = {"transaction_id": command.transaction_id, "round": command.round}
            return h.CaptureUnknown(**about, attempt=attempt, reason=reason)
        if isinstance(command, DisputeCommand):
            return DisputeUnknown(
                transaction_id=command.transaction_id,
                dispute_id=command.dispute_id,
                attempt=attempt,
                reason=reason,
            )
        return p.ChargeUnknown(
            transaction_id=command.transaction_id, attempt=attempt, reason=reason
        )

    def _notice(self, order_id: str, amount_minor: int) -> None:
        kind = self._kind(order_id)
        about = f"{order_id}/{kind}" if order_id in self.held else order_id
        for copy in range(_copies(self.troubles)):
            self.notices.append(
                p.ProviderNotified(
                    transaction_id=order_id,
                    notice_id=f"{about}/{copy}",
                    kind=kind,
                    payment_id=f"pi-{order_id}",
                    amount_minor=amount_minor,
                )
            )

    def _kind(self, order_id: str) -> Any:
        if order_id in self.charged:
            return "payment_succeeded"
        if order_id in self.declined:
            return "payment_failed"
        return "payment_canceled" if order_id in self.voided else "payment_authorized"

    def kept_minor(self, order_id: str) -> int:
        """Return what the provider holds of this order: charged less refunded and disputed."""
        back = sum(
            amount
            for key, amount in self.refunds.items()
            if key[0] == order_id and self.states[key] == "succeeded"
        )
        return self.charged.get(order_id, 0) - back - self.bank.kept_minor(order_id)


def _waits(command: Any, who: str) -> Message:
    about = {
        "transaction_id": command.transaction_id,
        "attempt": getattr(command, "attempt", 0),
        "payment_id": f"pi-{command.transaction_id}",
    }
    if who == "processing":
        return ChargeProcessing(**about, wait_seconds=PROCESSING_SECONDS)
    return ChargeActionRequired(
        **about, url="https://bank.example/confirm", wait_seconds=ACTION_SECONDS
    )


class Carrier:
    """Books once per order by construction; a shipment may be delivered at any moment."""

    def __init__(self, random: Random, troubles: Troubles, trouble: float) -> None:
        self.random = random
        self.troubles = troubles
        self.trouble = trouble
        self.hurries = 0.5
        """How often a shipment arrives before a command about it does."""
        self.status: dict[str, str] = {}
        self.notices: list[Message] = []

    async def call(self, command: Any) -> tuple[Message, ...]:
        """Answer a carrier command."""
        if self.troubles.strikes("request lost", self.trouble / 2):
            return (self.unknown(command),)
        self._travel(command.order_id)
        answer = self._answer(command)
        if self.troubles.strikes("answer lost", self.trouble / 2):
            return (self.unknown(command),)
        return (answer,)

    def _answer(self, command: Any) -> Message:
        order_id = command.order_id
        status = self.status.get(order_id)
        if isinstance(command, c.BookShipment) and status is None:
            refused = self.troubles.strikes("refused", self.trouble / 2)
            status = self.status[order_id] = "refused" if refused else "in_transit"
        if isinstance(command, c.WithdrawShipment) and status != "delivered":
            status = self.status[order_id] = "withdrawn"
        if status == "refused":
            return c.ShipmentRefused(order_id=order_id, reason="not deliverable")
        if status == "withdrawn":
            return c.ShipmentWithdrawn(order_id=order_id)
        if status is None:
            return self.unknown(command)
        if isinstance(command, c.BookShipment):
            return c.ShipmentBooked(order_id=order_id, shipment_id=f"sh-{order_id}")
        return c.ShipmentTracked(order_id=order_id, shipment_id=f"sh-{order_id}", status=status)

    def _travel(self, order_id: str) -> None:
        if self.status.get(order_id) == "in_transit" and self.random.random() < self.hurries:
            self.deliver(order_id)

    def deliver(self, order_id: str) -> None:
        """Hand the shipment over; the call-back may get lost or doubled."""
        self.status[order_id] = "delivered"
        for copy in range(_copies(self.troubles)):
            self.notices.append(
                c.CarrierNotified(
                    order_id=order_id,
                    notice_id=f"{order_id}/{copy}",
                    shipment_id=f"sh-{order_id}",
                    status="delivered",
                )
            )

    def unknown(self, command: Any, reason: str = "nobody answered") -> Message:
        """Return the answer to a command of which nobody knows what came of it."""
        return c.ShipmentUnknown(order_id=command.order_id, attempt=command.attempt, reason=reason)


class Notifier:
    """Sends messages; now and then it is away, or will not have one."""

    def __init__(self, troubles: Troubles, trouble: float) -> None:
        self.troubles = troubles
        self.trouble = trouble
        self.sent: list[tuple[str, str]] = []
        """Order and notification of everything that was really sent, in order."""

    async def call(self, command: n.SendMessage) -> tuple[Message, ...]:
        """Send a message."""
        if self.troubles.strikes("channel away", self.trouble):
            raise Transient("the channel is away")
        names = {
            "transaction_id": command.transaction_id,
            "notification_id": command.notification_id,
            "channel": command.channel,
        }
        if self.troubles.strikes("number refused", self.trouble / 4):
            return (n.NotificationFailed(**names, reason="no such number"),)
        self.sent.append((command.transaction_id, command.notification_id))
        return (n.NotificationSent(**names),)
