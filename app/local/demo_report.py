"""The report of a demo: the rows played, the ends of orders, the verdict."""

from collections import Counter

import msgspec

from app.local.importers.player import Loaded
from app.operations.verification.verdict import Verdict


def build(
    loaded: Loaded,
    verdict: Verdict,
    *,
    returns_refused: dict[str, str],
    duplicates_dropped: int,
    wall_s: float,
) -> dict[str, object]:
    """Return the report as plain values.

    `returns_refused` gives the reason by return id: the rows of a return that Payflow refused
    count as refused, so that every row of the file is counted once.
    """
    rows, refused = _counted(loaded, returns_refused)
    return {
        "rows_read": loaded.rows_read,
        "rows": {name: rows[name] for name in ("orders", "returns", "adjustments", "refused")},
        "orders_placed": verdict.figures["orders_placed"],
        "returns": verdict.figures["returns_accepted"],
        "adjustments": loaded.adjustments,
        "rows_refused": dict(refused),
        "returns_refused": dict(Counter(returns_refused.values())),
        "orders_completed": verdict.figures["orders_completed"],
        "orders_cancelled": verdict.figures["orders_cancelled"],
        "orders_open": verdict.figures["orders_open"],
        "charged_minor": verdict.figures["charged_minor"],
        "refunded_minor": verdict.figures["refunded_minor"],
        "ledger_imbalance_minor": verdict.figures["ledger_imbalance_minor"],
        "double_charges": verdict.figures["double_charges"],
        "stock_drift_units": verdict.figures["stock_drift_units"],
        "dead_letters": sum(verdict.dead_letters.values()),
        "duplicates_dropped": duplicates_dropped,
        "latency_ms": msgspec.to_builtins(verdict.figures["latency_ms"]),
        "wall_s": round(wall_s, 1),
        "verify_ok": verdict.verify_ok,
    }


def _counted(loaded: Loaded, returns_refused: dict[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Return the rows by their outcome, and refused rows by reason."""
    rows, refused = Counter(loaded.rows), Counter(loaded.refused)
    for return_id, reason in returns_refused.items():
        _, count = loaded.returns[return_id]
        rows["returns"] -= count
        rows["refused"] += count
        refused[f"return refused: {reason}"] += count
    return rows, refused
