"""The report counts every row once, whatever became of it."""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from app.cli import start
from app.cli.main import app
from app.local.demo_report import build
from app.local.importers.player import LoadedFile
from app.operations.reconciliation.settlement import Settlement
from app.operations.reconciliation.settlement_books import CurrencySums
from app.operations.verification.verdict import Verdict
from workflows.order.verdict_figures import Latency

FIELDS = {
    "rows_read",
    "orders_placed",
    "returns",
    "adjustments",
    "rows_refused",
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
    "fees_minor",
    "paid_out_minor",
    "disputes",
    "unreconciled_minor",
    "settlement_ok",
    "charged_by_currency",
    "refunded_by_currency",
    "ledger_imbalance_minor",
    "double_charges",
    "stock_drift_units",
    "dead_letters",
    "duplicates_dropped",
    "latency_ms",
    "wall_s",
    "verify_ok",
}


SETTLEMENT = Settlement(
    reconciled=True,
    sent_back=0,
    lines=2,
    arrived=1,
    not_ours=0,
    disputes=1,
    ageing={},
    totals={
        "GBP": CurrencySums(
            fees_at_provider_minor=20,
            fees_in_ledger_minor=20,
            paid_out_minor=150,
            at_bank_minor=150,
            in_transit_minor=60,
            in_balance_minor=30,
            not_ours_minor=7,
            disputes_minor=-40,
        )
    },
    open_items=(),
)


def verdict(**changed: object) -> Verdict:
    """Return a verdict on two orders."""
    figures = {
        "orders_placed": 2,
        "orders_completed": 1,
        "orders_cancelled": {"fraud": 1},
        "orders_open": 0,
        "orders_overdue": 0,
        "orders_moving": 0,
        "charged_minor": 500,
        "refunded_minor": 200,
        "authorized_minor": {"GBP": 900},
        "captured_minor": {"GBP": 500},
        "voided_minor": {"GBP": 400},
        "held_minor": {"GBP": 0},
        "orders_shipped_in_part": 1,
        "not_charged_minor": {"GBP": 60},
        "charged_by_currency": {"GBP": 500},
        "refunded_by_currency": {"GBP": 200},
        "ledger_imbalance_minor": 0,
        "double_charges": 0,
        "stock_drift_units": 0,
        "returns_accepted": 1,
        "returns_refused": {},
        "returns_open": 0,
        "latency_ms": {"p50": 1, "p95": 2, "p99": 3, "max": 4},
    }
    facts = {
        "verify_ok": True,
        "at_ms": 0,
        "figures": figures,
        "started": 2,
        "unsettled": 0,
        "summary": "",
        "dead_letters": {"orders.payment.dead": 2, "fraud.order.dead": 1},
        "dead_letter_causes": {},
        "events_read": 9,
        "events_repeated": 0,
        "seen": {},
        "checks": [],
    }
    for name, value in changed.items():
        (figures if name in figures else facts)[name] = value
    return msgspec.convert(facts, Verdict)


def played() -> LoadedFile:
    """Return a file of ten rows that was played."""
    return LoadedFile(
        rows_read=10,
        adjustments=1,
        rows=Counter(orders=5, returns=3, adjustments=1, refused=1),
        refused=Counter({"Quantity is zero": 1}),
        returns={"C1/1": ("o1", 2), "C2/1": ("o2", 1)},
    )


def test_the_report_has_the_fields_it_promises() -> None:
    """Names are a contract; more may stand beside them."""
    report = build(
        played(), verdict(), SETTLEMENT, returns_refused={}, duplicates_dropped=7, wall_s=1.24
    )

    assert set() == FIELDS - set(report)
    assert {"p50", "p95", "p99", "max"} == set(report["latency_ms"])
    assert (3, 7, 1.2) == (report["dead_letters"], report["duplicates_dropped"], report["wall_s"])


def test_rows_of_a_refused_return_count_as_refused() -> None:
    """A return that Payflow refuses moves its rows; the sum stays what was read."""
    report = build(
        played(),
        verdict(),
        SETTLEMENT,
        returns_refused={"C1/1": "too late"},
        duplicates_dropped=0,
        wall_s=1,
    )

    assert {"orders": 5, "returns": 1, "adjustments": 1, "refused": 3} == report["rows"]
    assert {"Quantity is zero": 1, "return refused: too late": 2} == report["rows_refused"]
    assert report["rows_read"] == sum(report["rows"].values())


def test_the_verdict_is_the_reports_own() -> None:
    """What verify found is not made prettier."""
    bad = verdict(verify_ok=False, double_charges=1)

    report = build(played(), bad, SETTLEMENT, returns_refused={}, duplicates_dropped=0, wall_s=1)

    assert (False, 1) == (report["verify_ok"], report["double_charges"])


def test_all_money_is_somewhere_by_currency() -> None:
    """Charged less refunded is fees, disputes, bank, what is on its way, and the balance."""
    report = build(
        played(), verdict(), SETTLEMENT, returns_refused={}, duplicates_dropped=0, wall_s=1
    )
    less = verdict(refunded_by_currency={"GBP": 201})
    off = build(played(), less, SETTLEMENT, returns_refused={}, duplicates_dropped=0, wall_s=1)

    assert ({"GBP": 20}, {"GBP": 150}, 1) == (
        report["fees_minor"],
        report["paid_out_minor"],
        report["disputes"],
    )
    assert ({"GBP": 0}, {"GBP": -1}) == (report["unreconciled_minor"], off["unreconciled_minor"])


@pytest.mark.parametrize(
    ("verify", "settlement", "problem"),
    [
        pytest.param({}, {}, "", id="all adds up"),
        pytest.param({"verify_ok": False}, {}, "see: payflow verify", id="the books"),
        pytest.param({}, {"reconciled": False}, "see: payflow reconcile", id="the settlement"),
        pytest.param(
            {"refunded_by_currency": {"GBP": 201}}, {}, "not reconciled: -0.01 GBP", id="an amount"
        ),
        pytest.param({}, {"totals": {}}, "not reconciled: ", id="an empty balance"),
    ],
)
def test_a_demo_fails_where_anything_does_not_add_up(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verify: dict[str, object],
    settlement: dict[str, bool],
    problem: str,
) -> None:
    """One line says what; the report is written all the same."""
    report = build(
        played(),
        verdict(**verify),
        replace(SETTLEMENT, **settlement),
        returns_refused={},
        duplicates_dropped=0,
        wall_s=1,
    )

    async def demo(*_options: object) -> dict[str, object]:
        return report

    monkeypatch.setattr(start, "_demo", demo)
    place = tmp_path / "r.json"

    result = CliRunner().invoke(app, ["demo", "--once", "--report", str(place)])

    assert bool(problem) == result.exit_code
    assert problem in " ".join(result.output.split())
    assert report == json.loads(place.read_text())


def test_latency_is_a_shape_of_four_figures() -> None:
    """The report writes them as they are."""
    assert ("p50", "p95", "p99", "max") == Latency.__struct_fields__
