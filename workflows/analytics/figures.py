"""The live figures of orders."""

from workflows.analytics.process import SHIPPED_WITHIN_MS
from workflows.analytics.topics import figures
from workflows.shared.figures import FigureGroup, LiveFigures, Series

FIGURES = LiveFigures(
    topic=figures,
    names_workflow=False,
    started="orders",
    ended=("completed", "cancelled"),
    rates=("orders", "revenue_minor", "refunds_minor", "stock_outs", "shipments"),
    added_up={"verdicts": ("fraud_detected", "fraud_cleared")},
    left={
        "disputes_open": ("disputes", "disputes_closed"),
        # As the ledger's `disputes_receivable`: an inquiry has moved nothing.
        "disputes_held_minor": ("disputes_taken_minor", "disputes_decided_minor"),
    },
    bucket="shipped_le_",
    bounds_ms=SHIPPED_WITHIN_MS,
    latency="to_shipped_ms",
    latency_title="Time from placed to shipped",
    plural="orders",
    funnel_title="From placed to delivered",
    totals=(
        ("placed", "orders"),
        ("completed", "completed"),
        ("cancelled", "cancelled"),
        ("open", "open"),
        ("revenue", "revenue_minor"),
        ("refunds", "refunds_minor"),
        ("stock-outs", "stock_outs"),
        ("fraud found", "fraud_detected"),
        ("cleared", "fraud_cleared"),
        ("shipments", "shipments"),
    ),
    groups=(
        FigureGroup(
            title="Disputes",
            totals=(
                ("disputes open", "disputes_open"),
                ("amount with banks", "disputes_held_minor"),
                ("disputes won", "disputes_won"),
                ("disputes lost", "disputes_lost"),
                ("amount disputed", "disputed_minor"),
                ("amount won", "disputes_won_minor"),
                ("amount lost", "disputes_lost_minor"),
            ),
        ),
        FigureGroup(
            title="Amounts that differ",
            totals=(("not what was asked for", "payment_mismatches"),),
        ),
        FigureGroup(
            title="Orders shipped in part",
            totals=(
                ("shipped in part", "partial_shipments"),
                ("not charged for the rest", "unshipped_minor"),
            ),
        ),
    ),
    rates_shown=(
        ("orders", "orders"),
        ("revenue", "revenue_minor"),
        ("refunds", "refunds_minor"),
        ("verdicts", "verdicts"),
        ("stock-outs", "stock_outs"),
        ("shipments", "shipments"),
    ),
    rate_charts=(
        (
            Series(title="orders", figure="orders", colour="neutral"),
            Series(title="verdicts", figure="verdicts", colour="strong"),
            Series(title="shipments", figure="shipments", colour="good"),
            Series(title="stock-outs", figure="stock_outs", colour="bad"),
        ),
        (
            Series(title="revenue", figure="revenue_minor", colour="good"),
            Series(title="refunds", figure="refunds_minor", colour="bad"),
        ),
    ),
    by_minute=(
        Series(title="placed", figure="orders", colour="neutral"),
        Series(title="completed", figure="completed", colour="good"),
        Series(title="cancelled", figure="cancelled", colour="bad"),
    ),
    by_country=(
        ("orders", "orders"),
        ("completed", "completed"),
        ("cancelled", "cancelled"),
        ("revenue", "revenue_minor"),
        ("refunds", "refunds_minor"),
    ),
    watched=(
        ("placed", "orders"),
        ("paid", "payments"),
        ("reserved", "reserved"),
        ("confirmed", "confirmed"),
        ("shipped", "shipments"),
        ("delivered", "delivered"),
        ("completed", "completed"),
        ("cancelled", "cancelled"),
        ("open", "open"),
        ("stock-outs", "stock_outs"),
        ("fraud found", "fraud_detected"),
        ("cleared", "fraud_cleared"),
        ("in part", "partial_shipments"),
        ("amounts differ", "payment_mismatches"),
        ("disputes open", "disputes_open"),
        ("disputes lost", "disputes_lost"),
        ("revenue", "revenue_minor"),
        ("refunds", "refunds_minor"),
        ("disputed", "disputed_minor"),
        ("with banks", "disputes_held_minor"),
    ),
)
