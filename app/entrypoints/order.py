"""Orders over HTTP: place, cancel, return; and the messages of operators."""

from collections.abc import Mapping
from operator import attrgetter

import msgspec

from app.entrypoints.capture_cases import CAPTURE_CASES
from app.entrypoints.dispute_cases import DISPUTE_CASES
from app.entrypoints.order_bodies import (
    DISCOUNT,
    NO_AMOUNT,
    NO_COUNTRY,
    CancelAsked,
    LineAsked,
    OrderAsked,
    ReturnAsked,
    discounts,
)
from app.entrypoints.refund_cases import REFUND_CASES
from app.entrypoints.requests import (
    BadRequest,
    Emission,
    Entrypoint,
    FollowingRequest,
    OperatorMessages,
    StartingRequest,
    converted,
)
from app.wire.envelope import derive_id
from app.wire.signing import AHEAD_MS_MAX
from workflows.order.messages import (
    GoodwillGranted,
    Line,
    OrderCancelRequested,
    OrderPlaced,
    ReturnLine,
    ReturnRequested,
)
from workflows.order.return_decision import chosen_units
from workflows.order.returns import refusal
from workflows.order.state import Order, kept_minor
from workflows.shared.countries import country_code
from workflows.shared.provider_currencies import objection_to_charge, objection_to_currency
from workflows.shared.workflow import Holding


def placed(order_id: str, body: OrderAsked, at_ms: int) -> OrderPlaced:
    """Return the order that was placed at `at_ms`. Raises BadRequest."""
    if objection := objection_to_currency(body.currency):
        raise BadRequest(objection, "currency")
    country = country_code(body.country)
    if not country:
        raise BadRequest(NO_COUNTRY, "country")
    lines = tuple(_line(number, line) for number, line in enumerate(body.lines))
    total = sum(line.amount_minor for line in lines)
    total += sum(charge.amount_minor for charge in body.charges)
    if total < 1:
        raise BadRequest("the order's total must be above zero", "lines")
    if objection := objection_to_charge(total, body.currency):
        raise BadRequest(f"the total: {objection}", "lines")
    fields = {
        "order_id": order_id,
        "customer_id": body.customer_id,
        "country": country,
        "currency": body.currency,
        "lines": lines,
        "charges": body.charges,
        "total_minor": total,
        "payment_method": body.payment_method,
        "ordered_at_ms": at_ms,
        "reference": body.reference,
        "origin": body.origin,
        "capture": body.capture,
        "partial_shipment": body.partial_shipment,
    }
    try:
        return msgspec.convert(fields, OrderPlaced, from_attributes=True)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the total: {error}", "lines") from error


def _line(number: int, body: LineAsked) -> Line:
    if (body.unit_price_minor is None) == (body.amount_minor is None):
        raise BadRequest("give either unit_price_minor or amount_minor", f"lines[{number}]")
    amount = body.amount_minor
    if amount is None:
        amount = (body.unit_price_minor or 0) * body.quantity
    return Line(
        sku=body.sku,
        quantity=body.quantity,
        amount_minor=amount,
        description=body.description,
    )


def ordered_at_ms(body: OrderAsked, now_ms: int) -> int | None:
    """Return when the customer ordered, by the caller's word. Raises BadRequest."""
    said_ms = body.ordered_at_ms
    if said_ms is not None and said_ms > now_ms + AHEAD_MS_MAX:
        raise BadRequest(f"it is later than now, {now_ms}", "ordered_at_ms")
    return said_ms


def holding(body: OrderAsked) -> Holding:
    """Return what a new order takes of quotas until its row says so."""
    units = sum(line.quantity for line in body.lines)
    return Holding(customer_id=body.customer_id, is_unpaid=True, units=units)


def cancelled(order_id: str, body: CancelAsked) -> OrderCancelRequested:
    """Return the request to cancel; shipping decides whether it is still in time."""
    return OrderCancelRequested(order_id=order_id, reason=body.reason)


def returned(order_id: str, body: ReturnAsked) -> ReturnRequested:
    """Return the request of a return, which is decided once the order has ended.

    Raises BadRequest.
    """
    fields = [("amount_minor", body.amount_minor)]
    fields += [(f"lines[{at}].amount_minor", each.amount_minor)
               for at, each in enumerate(body.lines)]  # fmt: skip
    for name, amount in fields:
        if amount is not msgspec.UNSET:
            raise BadRequest(f"{name}: {NO_AMOUNT}", name)
    lines = tuple(
        ReturnLine(sku=each.sku, quantity=each.quantity, line=each.line or 0) for each in body.lines
    )
    return ReturnRequested(
        order_id=order_id, return_id=body.return_id, lines=lines, reason=body.reason
    )


def objection(state: Order, body: ReturnAsked) -> str:
    """Return why the order does not take a return now, as far as its row knows."""
    if body.return_id in state.returns.by_id:
        return ""
    if state.cancelled_at_ms:
        return "the order was cancelled"
    if state.shipping.status != "created":
        return "nothing has been shipped yet: ask again when it has"
    message = returned(state.order_id, body)
    reason = refusal(state.returns, message)
    units = chosen_units(state.returns, message.lines)
    return reason or (units if isinstance(units, str) else "")


# --- operators ------------------------------------------------------------------


def cancelled_by_operator(order_id: str, why: str) -> Emission:
    """Return the operator's request to cancel."""
    return Emission(
        message=OrderCancelRequested(order_id=order_id, reason=why),
        event_id=derive_id(order_id, "cancel"),
        transaction_id=order_id,
    )


def refunded_by_operator(
    order_id: str, return_id: str, amount_minor: int, why: str, alone_max_minor: int | None
) -> Emission:
    """Return that money alone goes back.

    The order agent judges whether so much was paid, and may go back by the word of one person.
    """
    message = converted(
        GoodwillGranted,
        order_id=order_id,
        return_id=return_id,
        amount_minor=amount_minor,
        reason=why,
        alone_max_minor=alone_max_minor,
    )
    return Emission(
        message=message,
        event_id=derive_id(order_id, "return", return_id),
        transaction_id=order_id,
    )


def left_minor(state: Order) -> int:
    """Return what was charged and has neither gone back nor is to."""
    return kept_minor(state) - state.compensated_minor - sum(refunds_minor(state).values())


def refunds_minor(state: Order) -> Mapping[str, int]:
    """Return the refunds of an order by return id, without refused ones."""
    return {
        return_id: 0 if back.status == "refused" else back.amount_minor
        for return_id, back in state.returns.by_id.items()
    }


ENTRYPOINT = Entrypoint(
    workflow="order",
    path="/orders",
    listed_as="orders",
    start=StartingRequest(
        summary="Place an order",
        body=OrderAsked,
        message=placed,
        said_ms=ordered_at_ms,
        further_scopes=(DISCOUNT,),
        takes=discounts,
        baggage=lambda message: {"country": message.country},
        event="placed",
        holding=holding,
    ),
    follow=(
        FollowingRequest(
            path="/cancel",
            summary="Ask to cancel",
            body=CancelAsked,
            optional=True,
            message=cancelled,
            event_id=lambda order_id, _body: derive_id(order_id, "cancel"),
            link="cancel",
        ),
        FollowingRequest(
            path="/returns",
            scope="returns",
            summary="Ask to return",
            body=ReturnAsked,
            message=returned,
            objection=objection,
            event_id=lambda order_id, body: derive_id(order_id, "return", body.return_id),
        ),
    ),
    operators=OperatorMessages(
        cancel=cancelled_by_operator,
        refund=refunded_by_operator,
        left_minor=left_minor,
        currency=attrgetter("currency"),
        refunds_minor=refunds_minor,
        refund_cases=REFUND_CASES,
        capture_cases=CAPTURE_CASES,
        dispute_cases=DISPUTE_CASES,
    ),
)
