"""Live figures: what happened in each minute and country, counted once."""

from collections.abc import Mapping

import msgspec

from workflows.analytics.counted import COUNTED, SUMMED, TIMED
from workflows.analytics.messages import FiguresUpdated
from workflows.inventory.messages import InventoryRejected
from workflows.payment.capture_messages import PaymentAuthorized, PaymentVoided
from workflows.payment.dispute_messages import (
    DisputeClosed,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
)
from workflows.payment.messages import PaymentCompleted, PaymentRefunded, PaymentRefundFailed
from workflows.shared.countries import country_code
from workflows.shared.figures import UNKNOWN_COUNTRY, figure_of
from workflows.shared.message import Message
from workflows.shared.workflow import Workflow
from workflows.shipping.messages import ShipmentCreated

MINUTE_MS = 60_000
SHIPPED_WITHIN_MS = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
"""Bucket bounds of the time from placed to shipped; `shipped_le_inf` holds the rest."""

UNNAMED = "order"
"""The workflow whose rows name no workflow: it was once the only one."""


def figures_of(workflow: Workflow) -> dict[type[Message], str]:
    """Return the figure in which its start and each end count; COUNTED goes before it."""
    ends = {message: status for status, message in workflow.ends.items()}
    return {workflow.started_by: "started", **ends}


# --- state ------------------------------------------------------------------


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one minute and country, as one partition saw them.

    Amounts are summed by currency: `revenue_minor/GBP`. Older rows have a sum without.
    """

    counts: dict[str, int] = {}
    sums: dict[str, int] = {}


INITIAL = Figures()

# --- decide ----------------------------------------------------------------


def row_of(at_ms: int, country: str, workflow: str = UNNAMED) -> str:
    """Return the row that counts what happened at `at_ms` in `country` to `workflow`.

    Older rows have the name of the country, which readers take for its code.
    """
    # The country is in the baggage, which nothing has validated: whatever is written on a topic,
    # there are as many rows a minute as countries.
    name = country_code(country) or UNKNOWN_COUNTRY
    row = f"{at_ms - at_ms % MINUTE_MS}|{name}"
    return row if workflow == UNNAMED else f"{workflow}|{row}"


def rollup(row: str, state: Figures, partition: int) -> Message:
    """Return the figures of `row` so far, to be produced."""
    minute, _, country = row.partition("|")
    workflow = ""
    if not minute.isdecimal():
        workflow, (minute, _, country) = minute, country.partition("|")
    return FiguresUpdated(
        workflow=workflow,
        minute_ms=int(minute),
        country=country,
        partition=partition,
        counts=state.counts,
        sums=state.sums,
    )


# --- evolve --------------------------------------------------------------------


def count(
    state: Figures,
    received: Message,
    took_ms: int | None,
    figures: Mapping[type[Message], str] = COUNTED,
) -> Figures:
    """Return `state` with `received` counted in `figures`, `took_ms` after it all began."""
    counts, sums = dict(state.counts), dict(state.sums)
    _count_one(counts, received, figures)
    if isinstance(
        received,
        PaymentCompleted | PaymentAuthorized | PaymentVoided | PaymentRefunded | DisputeOpened,
    ):
        _add(sums, figure_of(SUMMED[type(received)], received.currency), received.amount_minor)
    match received:
        case PaymentCompleted(authorized=False) | PaymentAuthorized():
            _add(counts, "secured", 1)
        case PaymentRefundFailed(amount_minor=amount_minor, currency=currency, was_refunded=True):
            _add(sums, figure_of("refunds_minor", currency), -amount_minor)
        case InventoryRejected(reason="out_of_stock"):
            _add(counts, "stock_outs", 1)
        case ShipmentCreated(partial=partial) if partial is not None:
            _add(counts, "partial_shipments", 1)
            _add(sums, figure_of("unshipped_minor", partial.currency), partial.released_minor)
        case DisputeClosed(outcome="won" | "lost" as outcome):
            # An inquiry that is closed has moved no money.
            _add(counts, f"disputes_{outcome}", 1)
        case _:
            pass
    for figure, amount_minor in _disputed(received).items():
        _add(sums, figure, amount_minor)
    timed = TIMED.get(type(received))
    if timed is not None and took_ms is not None:
        _add(sums, timed, took_ms)
        _add(counts, f"{timed.removesuffix('_ms')}_timed", 1)
    if isinstance(received, ShipmentCreated) and took_ms is not None:
        _add(counts, _bucket(took_ms), 1)
    return Figures(counts=counts, sums=sums)


def _count_one(
    counts: dict[str, int], received: Message, figures: Mapping[type[Message], str]
) -> None:
    """Count `received` as one; a refund in parts is one, once nothing is left of it."""
    if not (isinstance(received, PaymentRefunded) and received.left_minor):
        _add(counts, figures.get(type(received), "other"), 1)


def _disputed(received: Message) -> dict[str, int]:
    """Return the figures in which the amount of `received` counts: what banks take, and decide."""
    match received:
        case DisputeFundsWithdrawn(currency=currency):
            names = ("disputes_taken_minor",)
        case DisputeFundsReinstated(currency=currency):
            names = ("disputes_decided_minor",)
        case DisputeClosed(outcome="won", currency=currency):
            # What came back of it was reinstated already.
            names = ("disputes_won_minor",)
        case DisputeClosed(outcome="lost", currency=currency):
            names = ("disputes_lost_minor", "disputes_decided_minor")
        case _:
            return {}
    return {figure_of(name, currency): received.amount_minor for name in names}


def _bucket(took_ms: int) -> str:
    within = (bound for bound in SHIPPED_WITHIN_MS if took_ms <= bound)
    return f"shipped_le_{next(within, 'inf')}"


def _add(figures: dict[str, int], name: str, amount: int) -> None:
    figures[name] = figures.get(name, 0) + amount
