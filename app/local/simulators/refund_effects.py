"""The effects of requests about refunds. Each runs in a transaction of its caller."""

from collections.abc import Sequence

from msgspec.structs import replace

from app.local.simulators import provider_params as fields
from app.local.simulators.balance_store import Balance
from app.local.simulators.dispute_effects import DisputeEffects
from app.local.simulators.notices import Notices
from app.local.simulators.provider_cards import card_of
from app.local.simulators.provider_params import Call
from app.local.simulators.provider_records import PLAIN, Intent, Refund
from app.local.simulators.provider_shapes import Answer, invalid, missing, refund_shape
from app.local.simulators.provider_store import ProviderStore

RETURNED = frozenset({"failed", "canceled"})
"""Refunds of these states moved no money, or it came back: docs.stripe.com/refunds."""


class RefundEffects:
    """Refunds: asked for, canceled, and how they go on (docs.stripe.com/refunds)."""

    def __init__(
        self, store: ProviderStore, balance: Balance, disputes: DisputeEffects, notices: Notices
    ) -> None:
        self._store = store
        self._balance = balance
        self._disputes = disputes
        self._notices = notices

    def refunded(self, call: Call) -> Answer:
        """Refund at most what is left of the charge."""
        intent = self._intent(call)
        if not intent.received_minor:
            return invalid("This intent has no charge to refund.", "payment_intent").answer
        if self._disputes.is_charged_back(intent.id):
            message = f"Charge {intent.charge_id} has been charged back; cannot issue a refund."
            return invalid(message, "payment_intent", "charge_disputed").answer
        left = intent.received_minor - intent.refunded_minor
        if left == 0:
            message = f"Charge {intent.charge_id} has already been refunded."
            return invalid(message, "payment_intent", "charge_already_refunded").answer
        amount = left
        if "amount" in call.params:
            amount = fields.amount(call.params, "amount", intent.currency)
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount ({left})."
            return invalid(message, "amount", "amount_too_large").answer
        metadata = fields.metadata(call.params)
        own = card_of(intent.payment_method).refund
        course = call.course if own == PLAIN else own
        if not course.after_ms:
            course = replace(course, after_ms=call.course.after_ms)
        amount -= call.course.short_minor
        refund = self._store.refund(call.key, intent, amount, metadata, course)
        self._balance.enter("refund", refund.id, (-amount, 0), refund.currency)
        self._emit("refund.created", refund)
        if amount == left:
            self._disputes.end_inquiries(intent.id)
        return Answer(body=refund_shape(refund))

    def _intent(self, call: Call) -> Intent:
        """Return the intent of `payment_intent` or `charge`. Raises StripeError."""
        name = "charge" if "charge" in call.params else "payment_intent"
        object_id = call.params.get(name, "")
        find = self._store.intent_of_charge if name == "charge" else self._store.intent
        intent = find(object_id)
        if intent is None:
            raise missing(name, object_id, name)
        return intent

    def canceled(self, call: Call) -> Answer:
        """Call off a refund that waits for the customer: docs.stripe.com/api/refunds/cancel."""
        refund = self._store.refund_of(call.object_id)
        if refund is None:
            raise missing("refund", call.object_id, "refund")
        if refund.status != "requires_action":
            message = f"A refund with a status of {refund.status} cannot be canceled."
            return invalid(message, "refund").answer
        return Answer(body=refund_shape(self._turn(replace(refund, next_status="canceled"))))

    def turn(self, due: Sequence[Refund]) -> None:
        """Give refunds that are due their next status, and queue webhooks."""
        for each in due:
            self._turn(each)

    def _turn(self, refund: Refund) -> Refund:
        after = self._store.turn(refund)
        if after.status in RETURNED:
            amounts = (after.amount_minor, 0)
            self._balance.enter("refund_failure", after.id, amounts, after.currency)
        self._emit("refund.failed" if after.status == "failed" else "refund.updated", after)
        return after

    def _emit(self, kind: str, refund: Refund) -> None:
        self._notices.emit(kind, f"{refund.id}/{refund.status}", refund_shape(refund))
