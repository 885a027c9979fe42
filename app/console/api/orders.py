"""Orders over HTTP: place, look, follow, cancel, return."""

import hashlib
from collections import OrderedDict
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from app.console.api.context import CONTEXT, ApiContext
from app.console.api.problems import (
    Problem,
    idempotency_key,
    json_response,
    path_name,
    read_body,
    whole,
)
from app.host.logs import MASK, PERSONAL
from app.wire.envelope import derive_id
from tables import declared
from workflows.order import process as orders
from workflows.order.messages import (
    Charge,
    Line,
    OrderCancelRequested,
    OrderPlaced,
    ReturnLine,
    ReturnRequested,
)
from workflows.payment.origin import UNKNOWN, Origin
from workflows.shared.journal import JournalEntry, causal_order
from workflows.shared.limits import (
    LINES_MAX,
    Currency,
    Milliseconds,
    MinorDue,
    Name,
    NameIfAny,
    Quantity,
    Text,
)

REMEMBERED_MAX = 10_000
"""Orders of this process whose repetition is answered without asking anyone."""
EVENTS_MAX = 1_000


class LineAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods wanted: a price for each unit, or an amount for the whole line."""

    sku: Name
    quantity: Quantity
    unit_price_minor: MinorDue | None = None
    amount_minor: MinorDue | None = None
    description: Text = ""


class OrderAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders`."""

    country: Name
    currency: Currency
    lines: Annotated[tuple[LineAsked, ...], Meta(max_length=LINES_MAX)]
    payment_method: Name
    charges: Annotated[tuple[Charge, ...], Meta(max_length=LINES_MAX)] = ()
    customer_id: NameIfAny = ""
    ordered_at_ms: Milliseconds | None = None
    reference: Annotated[str, Meta(max_length=128)] = ""
    origin: Origin = UNKNOWN
    """Where and with what it is paid, as far as known: fraud is judged by it."""


class CancelAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders/{id}/cancel`."""

    reason: Text = ""


class ReturnAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders/{id}/returns`."""

    return_id: Name
    lines: Annotated[tuple[ReturnLine, ...], Meta(min_length=1, max_length=LINES_MAX)]
    reason: Text = ""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request that is under way."""

    order_id: str
    correlation_id: str
    links: dict[str, str]


class Repeats:
    """The latest orders and what their bodies were, so that a repetition is recognised."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def get(self, order_id: str) -> str:
        """Return the fingerprint of the order's body, or nothing."""
        return self._known.get(order_id, "")

    def put(self, order_id: str, fingerprint: str) -> None:
        """Remember; the oldest is forgotten."""
        self._known[order_id] = fingerprint
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)


REPEATS: web.AppKey[Repeats] = web.AppKey("repeats")


async def place(request: web.Request) -> web.Response:
    """Place an order. Repeated with the same key and body, it is placed once."""
    context = request.app[CONTEXT]
    order_id = derive_id("order", idempotency_key(request))
    asked = await read_body(request, OrderAsked)
    fingerprint = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:16]
    known = request.app[REPEATS].get(order_id) or await _known(context, order_id)
    if known and known != fingerprint:
        detail = "this Idempotency-Key was used for another order; choose a new key"
        raise Problem(422, "Unprocessable Content", detail, field="Idempotency-Key")
    if not known:
        at_ms = context.now_ms()
        placed = _placed(order_id, asked, at_ms)
        baggage = {
            "workflow": "order",
            "country": placed.country,
            "began_ms": str(at_ms),
            "fingerprint": fingerprint,
        }
        await context.publish(request, placed, derive_id(order_id, "placed"), order_id, baggage)
    request.app[REPEATS].put(order_id, fingerprint)
    return _accepted(order_id, {"Idempotent-Replayed": "true"} if known else {})


async def _known(context: ApiContext, order_id: str) -> str:
    try:
        row = await context.row("order", order_id)
    except Problem:
        # Nobody can be asked now. Telling it again is harmless: its id is the same.
        return ""
    return str(row["context"]["baggage"].get("fingerprint", "")) if row else ""


def _placed(order_id: str, asked: OrderAsked, at_ms: int) -> OrderPlaced:
    lines = tuple(_line(number, line) for number, line in enumerate(asked.lines))
    total = sum(line.amount_minor for line in lines)
    total += sum(charge.amount_minor for charge in asked.charges)
    if total < 1:
        raise Problem(400, "Bad Request", "the order's total must be above zero", field="lines")
    fields = {
        "order_id": order_id,
        "customer_id": asked.customer_id,
        "country": asked.country,
        "currency": asked.currency,
        "lines": lines,
        "charges": asked.charges,
        "total_minor": total,
        "payment_method": asked.payment_method,
        "ordered_at_ms": at_ms if asked.ordered_at_ms is None else asked.ordered_at_ms,
        "reference": asked.reference,
        "origin": asked.origin,
    }
    try:
        return msgspec.convert(fields, OrderPlaced, from_attributes=True)
    except msgspec.ValidationError as error:
        raise Problem(400, "Bad Request", f"the total: {error}", field="lines") from error


def _line(number: int, asked: LineAsked) -> Line:
    if (asked.unit_price_minor is None) == (asked.amount_minor is None):
        detail = "give either unit_price_minor or amount_minor"
        raise Problem(400, "Bad Request", detail, field=f"lines[{number}]")
    amount = asked.amount_minor
    if amount is None:
        amount = (asked.unit_price_minor or 0) * asked.quantity
    return Line(
        sku=asked.sku,
        quantity=asked.quantity,
        amount_minor=amount,
        description=asked.description,
    )


def _accepted(order_id: str, headers: dict[str, str]) -> web.Response:
    path = f"/orders/{order_id}"
    links = {"self": path, "events": f"{path}/events", "cancel": f"{path}/cancel"}
    body = Accepted(order_id=order_id, correlation_id=order_id, links=links)
    return json_response(body, 202, {"Location": path, **headers})


async def cancel(request: web.Request) -> web.Response:
    """Ask for an order to be cancelled; shipping judges whether it is still in time."""
    order_id = path_name(request, "order_id")
    asked = await read_body(request, CancelAsked) if request.can_read_body else CancelAsked()
    await _existing(request, order_id)
    message = OrderCancelRequested(order_id=order_id, reason=asked.reason)
    await request.app[CONTEXT].publish(request, message, derive_id(order_id, "cancel"), order_id)
    return _accepted(order_id, {})


async def give_back(request: web.Request) -> web.Response:
    """Ask for part of an order to be compensated; judged when the order has ended."""
    order_id = path_name(request, "order_id")
    asked = await read_body(request, ReturnAsked)
    amount = sum(line.amount_minor for line in asked.lines)
    if amount < 1:
        detail = "a return must be worth something"
        raise Problem(400, "Bad Request", detail, field="lines")
    await _existing(request, order_id)
    message = ReturnRequested(
        order_id=order_id,
        return_id=asked.return_id,
        lines=asked.lines,
        amount_minor=amount,
        reason=asked.reason,
    )
    event_id = derive_id(order_id, "return", asked.return_id)
    await request.app[CONTEXT].publish(request, message, event_id, order_id)
    return _accepted(order_id, {})


async def _existing(request: web.Request, order_id: str) -> dict[str, Any] | None:
    """Return the order's row, None while it is only accepted; raises Problem 404 when unknown."""
    row = await request.app[CONTEXT].row("order", order_id)
    if row is None and not request.app[REPEATS].get(order_id):
        raise Problem(404, "Not Found", f"there is no order {order_id!r}", field="order_id")
    return row


async def show(request: web.Request) -> web.Response:
    """Return how an order stands: its state, each step, what is due when."""
    order_id = path_name(request, "order_id")
    row = await _existing(request, order_id)
    path = f"/orders/{order_id}"
    links = {"self": path, "events": f"{path}/events", "cancel": f"{path}/cancel"}
    if row is None:
        return json_response({"order_id": order_id, "state": "accepted", "links": links})
    return json_response({**_view(row), "correlation_id": order_id, "links": links})


async def listed(request: web.Request) -> web.Response:
    """Return orders in the order of their ids, a page at a time."""
    limit = whole(request, "limit", 100, 1, 1_000)
    state = request.query.get("state", "")
    after = request.query.get("after", "")
    rows, partial = await request.app[CONTEXT].rows("order", limit=limit, after=after)
    shown = [_view(row) for row in rows]
    following = rows[-1]["key"] if len(rows) == limit else None
    found = [view for view in shown if not state or view["state"] == state]
    return json_response({"orders": found, "next": following, "partial": partial})


def _view(row: dict[str, Any]) -> dict[str, Any]:
    state = msgspec.convert(row["state"], declared["order"].shape)
    return orders.view(state)


async def events(request: web.Request) -> web.Response:
    """Return every event of the order, causes before effects, personal fields masked."""
    order_id = path_name(request, "order_id")
    rows, partial = await request.app[CONTEXT].rows("journal", f"{order_id}|", EVENTS_MAX)
    if not rows:
        await _existing(request, order_id)
    entries = [msgspec.convert(row["state"], JournalEntry) for row in rows]
    shown = [_shown(entry) for entry in causal_order(entries)]
    return json_response(
        {"order_id": order_id, "correlation_id": order_id, "events": shown, "partial": partial}
    )


def _shown(entry: JournalEntry) -> dict[str, Any]:
    body = {
        name: MASK if name in PERSONAL and value else value for name, value in entry.body.items()
    }
    return {**msgspec.to_builtins(entry), "body": body}
