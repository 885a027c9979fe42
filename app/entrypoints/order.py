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


def placed(order_id: str, asked: OrderAsked, at_ms: int) -> OrderPlaced:
    """Return the order that was placed at `at_ms`. Raises BadRequest."""
    if objection := objection_to_currency(asked.currency):
        raise BadRequest(objection, "currency")
    country = country_code(asked.country)
    if not country:
        raise BadRequest(NO_COUNTRY, "country")
    lines = tuple(_line(number, line) for number, line in enumerate(asked.lines))
    total = sum(line.amount_minor for line in lines)
    total += sum(charge.amount_minor for charge in asked.charges)
    if total < 1:
        raise BadRequest("the order's total must be above zero", "lines")
    if objection := objection_to_charge(total, asked.currency):
        raise BadRequest(f"the total: {objection}", "lines")
    fields = {
        "order_id": order_id,
        "customer_id": asked.customer_id,
        "country": country,
        "currency": asked.currency,
        "lines": lines,
        "charges": asked.charges,
        "total_minor": total,
        "payment_method": asked.payment_method,
        "ordered_at_ms": at_ms,
        "reference": asked.reference,
        "origin": asked.origin,
        "capture": asked.capture,
        "partial_shipment": asked.partial_shipment,
    }
    try:
        return msgspec.convert(fields, OrderPlaced, from_attributes=True)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the total: {error}", "lines") from error


def _line(number: int, asked: LineAsked) -> Line:
    if (asked.unit_price_minor is None) == (asked.amount_minor is None):
        raise BadRequest("give either unit_price_minor or amount_minor", f"lines[{number}]")
    amount = asked.amount_minor
    if amount is None:
        amount = (asked.unit_price_minor or 0) * asked.quantity
    return Line(
        sku=asked.sku,
        quantity=asked.quantity,
        amount_minor=amount,
        description=asked.description,
    )


def ordered_at_ms(asked: OrderAsked, now_ms: int) -> int | None:
    """Return when the customer ordered, by the caller's word. Raises BadRequest."""
    said_ms = asked.ordered_at_ms
    if said_ms is not None and said_ms > now_ms + AHEAD_MS_MAX:
        raise BadRequest(f"it is later than now, {now_ms}", "ordered_at_ms")
    return said_ms


def holding(asked: OrderAsked) -> Holding:
    """Return what a new order takes of quotas until its row says so."""
    units = sum(line.quantity for line in asked.lines)
    return Holding(customer_id=asked.customer_id, is_unpaid=True, units=units)


def cancelled(order_id: str, asked: CancelAsked) -> OrderCancelRequested:
    """Return the request to cancel; shipping decides whether it is still in time."""
    return OrderCancelRequested(order_id=order_id, reason=asked.reason)


def returned(order_id: str, asked: ReturnAsked) -> ReturnRequested:
    """Return the request of a return, which is decided once the order has ended.

    Raises BadRequest.
    """
    fields = [("amount_minor", asked.amount_minor)]
    fields += [(f"lines[{at}].amount_minor", each.amount_minor)
               for at, each in enumerate(asked.lines)]  # fmt: skip
    for name, amount in fields:
        if amount is not msgspec.UNSET:
            raise BadRequest(f"{name}: {NO_AMOUNT}", name)
    lines = tuple(
        ReturnLine(sku=each.sku, quantity=each.quantity, line=each.line or 0)
        for each in asked.lines
    )
    return ReturnRequested(
        order_id=order_id, return_id=asked.return_id, lines=lines, reason=asked.reason
    )


def objection(state: Order, asked: ReturnAsked) -> str:
    """Return why the order does not take a return now, as far as its row knows."""
    if asked.return_id in state.returns.by_id:
        return ""
    if state.cancelled_at_ms:
        return "the order was cancelled"
    if state.shipping.status != "created":
        return "nothing has been shipped yet: ask again when it has"
    message = returned(state.order_id, asked)
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
            event_id=lambda order_id, _asked: derive_id(order_id, "cancel"),
            link="cancel",
        ),
        FollowingRequest(
            path="/returns",
            scope="returns",
            summary="Ask to return",
            body=ReturnAsked,
            message=returned,
            objection=objection,
            event_id=lambda order_id, asked: derive_id(order_id, "return", asked.return_id),
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
