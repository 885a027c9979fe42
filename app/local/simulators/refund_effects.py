"""The effects of requests about refunds. Each runs in a transaction of its caller."""

from collections.abc import Sequence

from msgspec.structs import replace

from app.local.simulators import provider_params as fields
from app.local.simulators.notices import Notices
from app.local.simulators.provider_cards import card_of
from app.local.simulators.provider_params import Call
from app.local.simulators.provider_records import PLAIN, Refund
from app.local.simulators.provider_shapes import Answer, invalid, missing, refund_shape
from app.local.simulators.provider_store import ProviderStore


class RefundEffects:
    """Refunds: asked for, and how they go on (docs.stripe.com/refunds)."""

    def __init__(self, store: ProviderStore, notices: Notices) -> None:
        self._store = store
        self._notices = notices

    def refunded(self, call: Call) -> Answer:
        """Refund at most what is left of the charge."""
        intent_id = call.params.get("payment_intent", "")
        intent = self._store.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, "payment_intent")
        if not intent.received_minor:
            return invalid("This intent has no charge to refund.", "payment_intent").answer
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
        course = call.course if own == PLAIN else replace(own, after_ms=call.course.after_ms)
        refund = self._store.refund(call.key, intent, amount, metadata, course)
        return Answer(body=refund_shape(refund))

    def turn(self, due: Sequence[Refund]) -> None:
        """Give refunds that are due their next status, and queue webhooks."""
        for each in due:
            refund = self._store.turn(each)
            kind = "refund.failed" if refund.status == "failed" else "refund.updated"
            self._notices.emit(kind, f"{refund.id}/{refund.status}", refund_shape(refund))
