"""The report of a demo: the rows played, the ends of orders, the verdict."""

from collections import Counter
from collections.abc import Mapping
from typing import cast

import msgspec
from msgspec.structs import replace

from app.local.importers.loaded import LoadedFile
from app.local.importers.retail_requests import Refuse
from app.operations.reconciliation.settlement import Settlement
from app.operations.reconciliation.settlement_books import CurrencySums
from app.operations.verification.verdict import Verdict
from workflows.shared.money import money

FIGURES = (
    "orders_completed",
    "orders_cancelled",
    "orders_open",
    "charged_minor",
    "refunded_minor",
    "authorized_minor",
    "captured_minor",
    "voided_minor",
    "held_minor",
    "orders_shipped_in_part",
    "not_charged_minor",
    "ledger_imbalance_minor",
    "double_charges",
    "stock_drift_units",
)
"""What the report has of the verdict under the same name."""


def build(  # noqa: PLR0913  what was played, and what has come of it
    loaded: LoadedFile,
    verdict: Verdict,
    settlement: Settlement,
    *,
    returns_refused: dict[str, str],
    duplicates_dropped: int,
    wall_s: float,
) -> dict[str, object]:
    """Return the report as plain values.

    `returns_refused` gives the reason by return id: the rows of a return that Payflow refused
    count as refused, so that every row of the file is counted once.
    """
    counted = _counted(loaded, returns_refused)
    return {
        **_file(counted),
        "orders_placed": verdict.figures["orders_placed"],
        "returns": verdict.figures["returns_accepted"],
        "adjustments": loaded.adjustments,
        "returns_refused": dict(Counter(returns_refused.values())),
        **{name: verdict.figures[name] for name in FIGURES},
        **_by_currency(verdict, settlement),
        "dead_letters": sum(verdict.dead_letters.values()),
        "duplicates_dropped": duplicates_dropped,
        "latency_ms": msgspec.to_builtins(verdict.figures["latency_ms"]),
        "wall_s": round(wall_s, 1),
        "verify_ok": verdict.verify_ok,
    }


def _by_currency(verdict: Verdict, settlement: Settlement) -> dict[str, object]:
    """Return what was charged and refunded, and what the provider has kept and paid out."""
    sums = settlement.totals
    return {
        "charged_by_currency": verdict.figures["charged_by_currency"],
        "refunded_by_currency": verdict.figures["refunded_by_currency"],
        "fees_minor": {name: each.fees_in_ledger_minor for name, each in sums.items()},
        "paid_out_minor": {name: each.at_bank_minor for name, each in sums.items()},
        "disputes": settlement.disputes,
        "unreconciled_minor": unreconciled_minor(verdict, sums),
        "settlement_ok": settlement.reconciled,
    }


def unreconciled_minor(verdict: Verdict, settlement: Mapping[str, CurrencySums]) -> dict[str, int]:
    """Return by currency what of the money taken is neither refunded, fee, paid out nor held.

    The provider's charges, refunds and balance against the ledger's fees and bank: it is 0.
    """
    charged = cast("dict[str, int]", verdict.figures["charged_by_currency"])
    refunded = cast("dict[str, int]", verdict.figures["refunded_by_currency"])
    return {
        currency: charged.get(currency, 0)
        - refunded.get(currency, 0)
        - _accounted_minor(settlement.get(currency))
        for currency in charged.keys() | settlement.keys()
    }


def _accounted_minor(sums: CurrencySums | None) -> int:
    """Return where money of a currency is; None: the provider's balance does not have it."""
    if sums is None:
        return 0
    places = (sums.fees_in_ledger_minor, sums.at_bank_minor, sums.in_transit_minor)
    return sum(places) + sums.in_balance_minor - sums.disputes_minor


def objection(report: Mapping[str, object]) -> str:
    """Return what of a report does not add up, and the command that says more; or nothing."""
    if not report["verify_ok"]:
        return "the books do not balance; see: payflow verify"
    unreconciled = cast("dict[str, int]", report["unreconciled_minor"])
    amounts = [money(minor, currency) for currency, minor in unreconciled.items() if minor]
    if amounts:
        return f"not reconciled: {', '.join(amounts)}; see: payflow reconcile"
    if not report["settlement_ok"]:
        return "the ledger has not what the provider has settled; see: payflow reconcile"
    return ""


def _file(counted: LoadedFile) -> dict[str, object]:
    """Return how the file was read, and its rows and lines by what they became."""
    rows = counted.rows
    return {
        "read_as": counted.form,
        "rows_read": counted.rows_read,
        "rows": {name: rows[name] for name in ("orders", "returns", "adjustments", "refused")},
        "lines_read": sum(counted.lines.values()),
        "lines": dict(counted.lines),
        "rows_refused": dict(counted.refused),
        "refusals": [_plain(each) for each in counted.refusals],
    }


def _plain(refusal: Refuse) -> dict[str, object]:
    return {
        "lines": list(refusal.file_lines),
        "reason": refusal.reason,
        "column": refusal.column,
        "value": refusal.value,
    }


def _counted(loaded: LoadedFile, returns_refused: dict[str, str]) -> LoadedFile:
    """Return `loaded` with the rows and lines of refused returns counted as refused."""
    counted = replace(
        loaded,
        rows=loaded.rows.copy(),
        lines=loaded.lines.copy(),
        refused=loaded.refused.copy(),
        refusals=[*loaded.refusals],
    )
    for return_id, reason in returns_refused.items():
        _, rows = loaded.returns[return_id]
        lines = loaded.return_lines.get(return_id, ())
        counted.rows["returns"] -= rows
        counted.lines["returns"] -= len(lines)
        counted.refuse(Refuse(rows=rows, file_lines=lines, reason=f"return refused: {reason}"))
    return counted
