"""Balance transactions, payouts and disputes in Stripe's shapes."""

from collections.abc import Mapping

from app.local.simulators.balance import TYPES, Payout, Transaction
from app.local.simulators.dispute_states import Dispute, is_refundable
from app.local.simulators.sqlite_file import derived_id


def transaction_shape(transaction: Transaction, now_ms: int) -> dict[str, object]:
    """Return a balance transaction: docs.stripe.com/api/balance_transactions/object."""
    fee = transaction.fee_minor
    detail = {
        "amount": fee,
        "currency": transaction.currency,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return {
        "id": transaction.id,
        "object": "balance_transaction",
        "amount": transaction.amount_minor,
        "available_on": transaction.available_ms // 1_000,
        "created": transaction.created_ms // 1_000,
        "currency": transaction.currency,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": transaction.net_minor,
        "reporting_category": transaction.category,
        "source": transaction.source,
        "status": "available" if transaction.available_ms <= now_ms else "pending",
        "type": TYPES.get(transaction.category, transaction.category),
    }


def payout_shape(payout: Payout) -> dict[str, object]:
    """Return a payout: docs.stripe.com/api/payouts/object."""
    has_failed = payout.status == "failed"
    return {
        "id": payout.id,
        "object": "payout",
        "amount": payout.amount_minor,
        "arrival_date": payout.arrival_ms // 1_000,
        "automatic": True,
        "balance_transaction": derived_id("txn", f"{payout.id}/payout"),
        "created": payout.created_ms // 1_000,
        "currency": payout.currency,
        "failure_balance_transaction": (
            derived_id("txn", f"{payout.id}/payout_reversal") if has_failed else None
        ),
        "failure_code": "could_not_process" if has_failed else None,
        "failure_message": "The bank could not process this payout." if has_failed else None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed",
        "status": payout.status,
        "type": "bank_account",
    }


def balance_shape(sums: Mapping[str, Mapping[str, int]]) -> dict[str, object]:
    """Return the balance: docs.stripe.com/api/balance."""
    parts = {
        kind: [{"amount": sums[currency][kind], "currency": currency} for currency in sums]
        for kind in ("available", "pending")
    }
    return {"object": "balance", "livemode": False, **parts}


def dispute_shape(dispute: Dispute, transactions: list[dict[str, object]]) -> dict[str, object]:
    """Return a dispute: docs.stripe.com/api/disputes/object."""
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount_minor,
        "balance_transactions": transactions,
        "charge": dispute.charge_id,
        "created": dispute.created_ms // 1_000,
        "currency": dispute.currency,
        "evidence": dispute.evidence,
        "evidence_details": {
            "due_by": dispute.due_by_ms // 1_000,
            "has_evidence": bool(dispute.evidence),
            "past_due": False,
            "submission_count": dispute.submission_count,
        },
        "is_charge_refundable": is_refundable(dispute),
        "livemode": False,
        "metadata": dispute.metadata,
        "payment_intent": dispute.intent_id,
        "payment_method_details": {
            "type": "card",
            "card": {"case_type": "inquiry" if dispute.is_inquiry else "chargeback"},
        },
        "reason": dispute.reason,
        "status": dispute.status,
    }
