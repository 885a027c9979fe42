"""The order as people and the API read it: plain values."""

from collections.abc import Mapping

import msgspec

from workflows.order import disputes, returns
from workflows.order.partial_shipment import PartialShipment, unavailable_text
from workflows.order.process import deadlines, overdue_at_ms
from workflows.order.return_amount import ReturnAmount
from workflows.order.state import Mark, Order
from workflows.order.view_shape import (
    Amounts,
    ShownAction,
    ShownLine,
    ShownOrder,
    ShownPartial,
    ShownReturn,
    ShownStep,
    ShownSteps,
)
from workflows.shared.money import money


def view(state: Order) -> ShownOrder:
    """Return the order as people and the API read it: plain values, moments in ms or None."""
    dues: dict[str, int] = {**deadlines(state)}
    marks = {
        "payment": state.payment,
        "inventory": state.inventory,
        "fraud": state.fraud,
        "shipping": state.shipping,
        "delivery": state.delivery,
    }
    placed = Mark(status="done" if state.order_id else "waiting", at_ms=state.placed_at_ms)
    steps = {"placed": placed, **marks}
    return {
        "order_id": state.order_id,
        "state": _status(state),
        "country": state.country,
        "steps": msgspec.convert(
            {step: _step(mark, dues.get(step)) for step, mark in steps.items()}, ShownSteps
        ),
        "action": _action(state),
        "overdue": list(state.overdue),
        "cause": state.cause,
        "detail": state.detail,
        "amounts": amounts(state),
        "partial": _partial(state.returns.partial),
        "confirmed_at_ms": state.confirmed_at_ms or None,
        "ended_at_ms": state.completed_at_ms or state.cancelled_at_ms or None,
        "stuck_at_ms": overdue_at_ms(state),
        "returns": [
            _return(key, back, state.currency) for key, back in state.returns.by_id.items()
        ],
        "disputes": disputes.shown_disputes(state.disputes),
    }


def _status(state: Order) -> str:
    states = {
        "unknown": not state.order_id,
        "completed": state.completed_at_ms,
        "cancelled": state.cancelled_at_ms,
        "compensating": state.cause,
        "confirmed": state.confirmed_at_ms,
    }
    return next((name for name, holds in states.items() if holds), "placed")


def _step(mark: Mark, due_at_ms: int | None) -> ShownStep:
    return {"status": mark.status, "at_ms": mark.at_ms or None, "due_at_ms": due_at_ms}


def _action(state: Order) -> ShownAction | None:
    """Return what the customer has to do; None when there is nothing."""
    if state.payment.status != "action_required" or state.cause:
        return None
    return {"kind": "confirm_payment", "url": state.action.url, "until_ms": state.action.until_ms}


def amounts(state: Order) -> Amounts:
    """Return what was to be paid, held, charged and refunded, in minor units."""
    returned = (
        back.amount_minor
        for back in state.returns.by_id.values()
        if back.refunded and not back.by_bank
    )
    return {
        "currency": state.currency,
        "total_minor": state.total_minor,
        "authorized_minor": state.authorized_minor,
        "charged_minor": state.charged_minor,
        "refunded_minor": state.compensated_minor + state.unshipped_refunded_minor + sum(returned),
    }


def _partial(partial: PartialShipment | None) -> ShownPartial | None:
    """Return what does not ship although the order does; None: all of it ships, or nothing."""
    if partial is None:
        return None
    return {
        "unavailable": [
            {
                "line": each.line,
                "sku": each.sku,
                "quantity": each.quantity,
                "amount_minor": each.amount_minor,
            }
            for each in partial.unavailable
        ],
        "charged_minor": partial.amount_minor,
        "not_charged_minor": partial.released_minor,
        "text": unavailable_text(partial),
    }


def details(state: Order) -> Mapping[str, list[ShownLine]]:
    """Return the lines of the order: the units shipped and accepted back, and the prices."""
    is_shipped = state.shipping.status == "created"
    lines = zip(
        state.returns.sale.lines,
        returns.units_unshipped(state.returns),
        returns.units_back(state.returns),
        strict=True,
    )
    return {
        "lines": [
            {
                "line": number,
                "sku": line.sku,
                "quantity": line.units,
                "amount_minor": line.amount_minor,
                "shipped": line.units - unavailable if is_shipped else 0,
                "unavailable": unavailable,
                "returned": back,
            }
            for number, (line, unavailable, back) in enumerate(lines, start=1)
        ]
    }


def _return(return_id: str, back: returns.Return, currency: str) -> ShownReturn:
    return {
        "return_id": return_id,
        "state": back.status,
        "amount_minor": back.amount_minor,
        "refunded": back.refunded,
        "held": back.held,
        "by_bank": back.by_bank,
        "restocked": back.restocked,
        "reason": back.reason,
        "goodwill": back.is_goodwill,
        "computed": back.computed and _figures(back.computed),
        "computation": _computation(back.computed, currency) if back.computed else "",
    }


def _figures(computed: ReturnAmount) -> dict[str, int]:
    """Return the figures of an amount; rounding is one where the currency moves in steps."""
    figures = msgspec.structs.asdict(computed)
    return {name: minor for name, minor in figures.items() if minor or name != "rounding_minor"}


def _computation(computed: ReturnAmount, currency: str) -> str:
    """Return how an amount comes about: 4.00 GBP items - 0.40 GBP discount."""
    parts = (
        ("", computed.items_minor, "items"),
        (" - ", computed.discount_minor, "discount"),
        (" + ", computed.tax_minor, "tax"),
        (" + ", computed.postage_minor, "postage"),
        (" - ", computed.withheld_minor, "given before or not asked for"),
        (" + ", max(computed.rounding_minor, 0), "rounding"),
        (" - ", max(-computed.rounding_minor, 0), "rounding"),
    )
    return "".join(
        f"{sign}{money(minor, currency)} {what}"
        for sign, minor, what in parts
        if minor or what == "items"
    )
