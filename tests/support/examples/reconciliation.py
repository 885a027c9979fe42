"""Lines of the three books that reconciliation compares."""

from functools import partial
from typing import Any

from app.operations.reconciliation import compare
from app.operations.reconciliation.compare import DAY_MS
from workflows.payment.books import BOOKS
from workflows.shared.books import Line

DAY_BEGINS_MS = 1_772_323_200_000
AT_MS = DAY_BEGINS_MS + 1_000
LATER_MS = AT_MS + DAY_MS
MOTION_MS = BOOKS.motion_ms

reconcile = partial(compare.reconcile, motion_ms=MOTION_MS)


def settled(
    order_id: str = "o1",
    minor: int = 1_000,
    currency: str = "GBP",
    at_ms: int = AT_MS,
    **refunds: int,
) -> list[Line]:
    """Return the lines of all three books about one charge and its refunds."""
    moves: list[dict[str, Any]] = [
        {"kind": "charge", "amount_minor": minor, "reference": f"pi_{order_id}"}
    ]
    for key, refund_minor in refunds.items():
        reference = f"re_{order_id}_{key}"
        moves.append(
            {"kind": "refund", "key": key, "amount_minor": refund_minor, "reference": reference}
        )
    same: dict[str, Any] = {"order_id": order_id, "currency": currency, "at_ms": at_ms}
    lines = [Line(book=book, **move, **same) for book in ("provider", "payments") for move in moves]
    return lines + [Line(book="ledger", **as_booked(move), **same) for move in moves]


def as_booked(move: dict[str, Any]) -> dict[str, Any]:
    """Return what the ledger knows of a move: of a charge no reference, of a refund no key."""
    unknown = {"key": ""} if move["kind"] == "refund" else {"reference": ""}
    return move | unknown


def voided(order_id: str = "o1", minor: int = 1_000, at_ms: int = AT_MS) -> list[Line]:
    """Return the lines about a charge that can never happen: the ledger has none."""
    same: dict[str, Any] = {
        "order_id": order_id,
        "kind": "void",
        "amount_minor": minor,
        "currency": "GBP",
        "at_ms": at_ms,
    }
    return [Line(book="provider", reference="pi", **same), Line(book="payments", **same)]
