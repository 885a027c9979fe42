"""What must always hold of orders, and the figures of the verdict about them."""

from itertools import islice

import msgspec

from workflows.fraud.topics import fraud
from workflows.inventory import invariants as stock_checks
from workflows.inventory.topics import inventory, stock, warehouse
from workflows.ledger.topics import ledger
from workflows.order import (
    dispute_checks,
    fact_projection,
    hold_checks,
    money_checks,
    order_checks,
)
from workflows.order.facts import Facts
from workflows.order.snapshot import Snapshot
from workflows.order.topics import goodwill, orders, sagas
from workflows.order.verdict_figures import figures_of
from workflows.payment.topics import payments
from workflows.shared.invariants import OFFENDING_MAX, Findings, Invariants, Moment
from workflows.shipping.topics import shipments

CHECKS = (
    order_checks.one_end,
    money_checks.money_agrees,
    money_checks.books_balance,
    money_checks.books_close,
    money_checks.charges_have_orders,
    money_checks.charged_once,
    money_checks.amounts_agree,
    money_checks.refunds_arrive,
    hold_checks.captures_arrive,
    hold_checks.holds_add_up,
    dispute_checks.disputes_pay_once,
    dispute_checks.disputes_close,
    order_checks.ships_when_due,
    order_checks.carrier_agrees,
    order_checks.partial_shipments_add_up,
    stock_checks.receipts_are_booked,
    stock_checks.shelves_add_up,
    stock_checks.stock_agrees,
    order_checks.returns_settle,
    order_checks.returns_within_shipped,
)
"""Every check of orders, in the order in which they are shown."""


def judge(facts: Facts, moment: Moment) -> Findings:
    """Return what `facts` come to at `moment`."""
    snapshot = Snapshot(facts=facts, moment=moment)
    checks = tuple(check(snapshot) for check in CHECKS)
    figures = figures_of(snapshot)
    cancelled = sum(figures.orders_cancelled.values())
    return Findings(
        checks=checks,
        figures=msgspec.structs.asdict(figures),
        started=figures.orders_placed,
        unsettled=figures.orders_open + figures.orders_moving + figures.returns_open,
        open_ids=tuple(
            islice(
                (key for key, one in facts.orders.items() if one.placed_ms and not one.ends),
                OFFENDING_MAX,
            )
        ),
        summary=(
            f"{figures.orders_placed} placed, {figures.orders_completed} completed, "
            f"{cancelled} cancelled, {figures.orders_open} open; "
            f"charged {money_checks.amounts_text(figures.charged_by_currency)}, "
            f"refunded {money_checks.amounts_text(figures.refunded_by_currency)}"
        ),
        rows=f"{len(facts.shelves)} stock rows, by their changelog",
    )


INVARIANTS = Invariants(
    topics=(
        orders,
        goodwill,
        sagas,
        payments,
        inventory,
        stock,
        warehouse,
        fraud,
        shipments,
        ledger,
    ),
    services=frozenset({"order", "payment", "inventory", "shipping", "fraud", "ledger"}),
    facts=Facts,
    project=fact_projection.project,
    rows={"order": fact_projection.project_row, "stock": stock_checks.project_row},
    judge=judge,
    trial_balance="trial_balance",
    balances=(
        "ledger_imbalance_minor",
        "double_charges",
        "stock_drift_units",
        "orders_overdue",
    ),
    made_of=(
        "orders_placed",
        "orders_completed",
        "orders_cancelled",
        "orders_open",
        "charged_by_currency",
        "refunded_by_currency",
    ),
)
