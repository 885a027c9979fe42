"""The API: clear refusals that name the field, one order a key, webhooks that must be signed."""

import time
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from msgspec.structs import replace
from openapi_spec_validator import validate

from app.config import Config
from app.console.api.context import CONTEXT
from app.console.api.figures import Figures
from app.console.api.openapi import describe
from app.console.api.routes import ROUTES
from app.console.server import make_api
from app.gateways.signature import TOLERANCE_SECONDS, sign
from app.wire.envelope import Envelope
from app.wire.known_secrets import KNOWN_KEY
from app.wire.signing import ROWS_PASS, rows_token
from app.worker.discovery import Directory, Worker
from app.worker.http import make_site
from tables import declared
from tests.support.console import CONFIG, ORDER, FakeWorker, place
from workflows.analytics.figures import FIGURES as FIGURES_OF_ORDERS
from workflows.analytics.messages import FiguresUpdated
from workflows.inventory.stock_messages import ReceiveStock
from workflows.order.messages import OrderCancelRequested, OrderPlaced, ReturnRequested
from workflows.order.return_amount import Sale, SaleLine
from workflows.order.returns import Return, Returns
from workflows.order.state import Mark, Order
from workflows.payment.provider_messages import ProviderNotified
from workflows.shared.message import Message
from workflows.shipping.carrier_messages import CarrierNotified


async def test_an_order_is_emitted_and_accepted(client: TestClient, queries: FakeWorker) -> None:
    """202, an id, links; the event carries what travels with the transaction."""
    answer = await place(client)
    body = await answer.json()

    message, envelope = queries.emitted[0]
    assert 202 == answer.status
    assert isinstance(message, OrderPlaced)
    assert (500, body["order_id"]) == (message.total_minor, message.order_id)
    assert ("FR", message.order_id) == (envelope.baggage["country"], envelope.correlation_id)
    assert "FR" == message.country
    assert f"/orders/{message.order_id}" == answer.headers["Location"] == body["links"]["self"]


async def test_the_trace_of_the_request_goes_on(client: TestClient, queries: FakeWorker) -> None:
    """A valid traceparent is carried; without one it is derived from the order."""
    record = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    headers = {"Idempotency-Key": "k1", "traceparent": record}

    await client.post("/orders", json=ORDER, headers=headers)
    await place(client, key="k2")

    assert record == queries.emitted[0][1].traceparent
    assert queries.emitted[1][1].traceparent.startswith("00-")


async def test_a_repeated_request_is_one_order(client: TestClient, queries: FakeWorker) -> None:
    """Same key, same body: the same answer, emitted once."""
    first, again = await place(client), await place(client)

    assert (202, 202, "true") == (
        first.status,
        again.status,
        again.headers["Idempotent-Replayed"],
    )
    assert await first.json() == await again.json()
    assert 1 == len(queries.emitted)


async def test_a_key_belongs_to_one_body(client: TestClient, queries: FakeWorker) -> None:
    """Same key, other body: refused, nothing emitted."""
    await place(client)

    answer = await place(client, {**ORDER, "country": "Spain"})

    assert (422, "Idempotency-Key") == (answer.status, (await answer.json())["errors"][0]["field"])
    assert 1 == len(queries.emitted)


async def test_a_key_is_remembered_by_the_orders_row(
    client: TestClient, queries: FakeWorker
) -> None:
    """Another console, or the same after a restart, finds the body's fingerprint in the row."""
    await place(client)
    message, envelope = queries.emitted.pop()
    queries.keep("order", message.order_id, {}, **envelope.baggage)
    client.app[next(key for key in client.app if "repeats" in str(key))].__init__()

    same, other = await place(client), await place(client, {**ORDER, "currency": "EUR"})

    assert (202, 422, []) == (same.status, other.status, queries.emitted)


def line(**changed: Any) -> dict[str, Any]:
    """Return an order whose one line is changed."""
    return {**ORDER, "lines": [{**ORDER["lines"][0], **changed}]}


HOSTILE = [
    pytest.param({}, "country", id="nothing"),
    pytest.param({**ORDER, "country": 5}, "country", id="a number for a name"),
    pytest.param({**ORDER, "country": ""}, "country", id="an empty name"),
    pytest.param({**ORDER, "country": "x" * 129}, "country", id="a long name"),
    pytest.param({**ORDER, "country": "Atlantis"}, "country", id="an invented country"),
    pytest.param({**ORDER, "country": "AA"}, "country", id="a code that is not a country"),
    pytest.param({**ORDER, "currency": "gbp"}, "currency", id="a currency in lower case"),
    pytest.param({**ORDER, "currency": "POUND"}, "currency", id="no currency"),
    pytest.param({**ORDER, "payment_method": None}, "payment_method", id="null"),
    pytest.param({**ORDER, "lines": {}}, "lines", id="an object for a list"),
    pytest.param({**ORDER, "lines": []}, "lines", id="an order of nothing"),
    pytest.param({**ORDER, "lines": ORDER["lines"] * 1_001}, "lines", id="too many lines"),
    pytest.param({**ORDER, "card_number": "4242"}, "card_number", id="an unknown field"),
    pytest.param({**ORDER, "ordered_at_ms": -1}, "ordered_at_ms", id="a moment before time"),
    pytest.param({**ORDER, "customer_id": ["c"]}, "customer_id", id="a list for a customer"),
    pytest.param(line(quantity=0), "lines[0].quantity", id="quantity zero"),
    pytest.param(line(quantity=-1), "lines[0].quantity", id="a negative quantity"),
    pytest.param(line(quantity=10**9), "lines[0].quantity", id="a billion"),
    pytest.param(line(quantity=1.5), "lines[0].quantity", id="one and a half"),
    pytest.param(line(sku=""), "lines[0].sku", id="no SKU"),
    pytest.param(line(unit_price_minor=-1), "lines[0].unit_price_minor", id="a negative price"),
    pytest.param(line(unit_price_minor=2**70), "lines[0].unit_price_minor", id="beyond 64 bit"),
    pytest.param(line(unit_price_minor=0), "lines", id="a total of zero"),
    pytest.param(line(unit_price_minor=1), "lines", id="less than a card can be charged"),
    pytest.param({**ORDER, "currency": "QQQ"}, "currency", id="an unknown currency"),
    pytest.param({**ORDER, "capture": "later"}, "capture", id="no such capture"),
    pytest.param({**ORDER, "currency": "DEM"}, "currency", id="a retired currency"),
    pytest.param({**ORDER, "currency": "XTS"}, "currency", id="the currency of tests"),
    pytest.param({**ORDER, "currency": "XAU"}, "currency", id="gold"),
    pytest.param({**ORDER, "currency": "CLF"}, "currency", id="what no card is charged in"),
    pytest.param(
        {**line(unit_price_minor=1_233), "currency": "KWD"}, "lines", id="a thousandth of a dinar"
    ),
    pytest.param(line(amount_minor=5), "lines[0]", id="two prices"),
    pytest.param(
        {**ORDER, "charges": [{"code": "D", "amount_minor": -900}]}, "lines", id="below zero"
    ),
]


@pytest.mark.parametrize(("body", "field"), HOSTILE)
async def test_a_wrong_order_is_refused_by_field(
    client: TestClient, queries: FakeWorker, body: Any, field: str
) -> None:
    """400 with problem details that name the field; nothing is emitted."""
    answer = await place(client, body)
    problem = await answer.json()

    assert (400, "application/problem+json") == (answer.status, answer.content_type)
    assert field == problem["errors"][0]["field"]
    assert [] == queries.emitted


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        pytest.param(b"{", {}, 400, id="no JSON"),
        pytest.param(b'{"country":NaN}', {}, 400, id="NaN"),
        pytest.param(b"\xff", {}, 400, id="no UTF-8"),
        pytest.param(b"[" * 100_000, {}, 400, id="nested deep"),
        pytest.param(b" " * 1_000_001, {}, 413, id="more than a megabyte"),
        pytest.param(b"{}", {"Content-Type": "text/plain"}, 415, id="another type"),
        pytest.param(b"{}", {"Idempotency-Key": ""}, 400, id="no key"),
        pytest.param(b"{}", {"Idempotency-Key": "k" * 201}, 400, id="a long key"),
        pytest.param(b"{}", {"Host": "evil.example"}, 421, id="another host"),
    ],
)
async def test_a_hostile_request_is_a_problem_of_its_own(
    client: TestClient, data: bytes, headers: dict[str, str], status: int
) -> None:
    """Always 4xx, always problem details."""
    record = {"Content-Type": "application/json", "Idempotency-Key": "k", **headers}

    answer = await client.post("/orders", data=data, headers=record)

    assert (status, "application/problem+json") == (answer.status, answer.content_type)


@pytest.mark.parametrize(
    "error", [KafkaTimeoutError(), KafkaConnectionError("gone"), TimeoutError()]
)
async def test_what_kafka_did_not_take_is_asked_again(
    client: TestClient, queries: FakeWorker, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """503 and when, however Kafka says so: nothing is lost."""

    async def publish(_message: Message, _envelope: Envelope) -> None:
        raise error

    monkeypatch.setattr(queries, "publish", publish)
    answer = await place(client)

    assert (503, "1") == (answer.status, answer.headers["Retry-After"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/nothing", 404, id="an unknown route"),
        pytest.param("DELETE", "/orders", 405, id="an unknown method"),
        pytest.param("GET", "/orders/none", 404, id="an unknown order"),
        pytest.param("GET", "/orders/none/events", 404, id="events of an unknown order"),
        pytest.param("GET", "/orders?limit=many", 400, id="a limit in words"),
        pytest.param("GET", "/orders?limit=0", 400, id="a limit of zero"),
        pytest.param("GET", "/tables/none", 404, id="an unknown table"),
        pytest.param("GET", "/tables/order/none", 404, id="an unknown row"),
        pytest.param("GET", "/web/..%2fapp%2fmain.py", 404, id="a file elsewhere"),
        pytest.param("POST", "/orders/none/cancel", 404, id="cancelling an unknown order"),
    ],
)
async def test_what_is_not_there_is_a_problem(
    client: TestClient, method: str, path: str, status: int
) -> None:
    """Never 500."""
    answer = await client.request(method, path)

    assert (status, "application/problem+json") == (answer.status, answer.content_type)


async def test_cancelling_and_returning_are_emitted(
    client: TestClient, queries: FakeWorker
) -> None:
    """Both are requests: judged elsewhere, repeated harmlessly."""
    order_id = (await (await place(client)).json())["order_id"]
    queries.keep("order", order_id, shipped(order_id))
    back = {"return_id": "r1", "lines": [{"sku": "tea", "quantity": 1}]}

    cancelled = await client.post(f"/orders/{order_id}/cancel", json={"reason": "no"})
    returned = await client.post(f"/orders/{order_id}/returns", json=back)

    assert (202, 202) == (cancelled.status, returned.status)
    assert [OrderPlaced, OrderCancelRequested, ReturnRequested] == [
        type(message) for message, _ in queries.emitted
    ]
    assert 0 == queries.emitted[2][0].amount_minor


def shipped(order_id: str) -> Order:
    """Return an order that is on its way: two of tea."""
    sale = Sale(lines=(SaleLine(sku="tea", units=2, amount_minor=500),))
    created = Mark(status="created", at_ms=1)
    return Order(order_id=order_id, shipping=created, returns=Returns(sale=sale))


@pytest.mark.parametrize(
    ("row", "lines", "objection"),
    [
        pytest.param(None, {}, "nothing has been shipped yet", id="not known yet"),
        pytest.param(
            {"shipping": Mark()}, {}, "nothing has been shipped yet", id="not shipped yet"
        ),
        pytest.param({"cancelled_at_ms": 1}, {}, "the order was cancelled", id="cancelled"),
        pytest.param({}, {"quantity": 3}, "more of tea than was shipped", id="too many"),
        pytest.param({}, {"sku": "cup"}, "more of cup than was shipped", id="not of this order"),
        pytest.param({}, {"line": 2}, "line 2 of the order is not tea", id="no such line"),
    ],
)
async def test_a_return_that_the_order_cannot_take_is_a_conflict(
    client: TestClient, queries: FakeWorker, row: Any, lines: dict[str, Any], objection: str
) -> None:
    """The customer learns it at once; nothing is emitted."""
    order_id = (await (await place(client)).json())["order_id"]
    if row is not None:
        queries.keep("order", order_id, replace(shipped(order_id), **row))
    back = {"return_id": "r1", "lines": [{"sku": "tea", "quantity": 1, **lines}]}

    answer = await client.post(f"/orders/{order_id}/returns", json=back)

    assert (409, 1) == (answer.status, len(queries.emitted))
    assert objection in (await answer.json())["detail"]


async def test_a_return_is_asked_again_under_its_id(
    client: TestClient, queries: FakeWorker
) -> None:
    """Who has lost the answer gets it again, though the units are gone."""
    order_id = (await (await place(client)).json())["order_id"]
    order = shipped(order_id)
    order = replace(
        order,
        returns=replace(order.returns, units_by_line=(2,), by_id={"r1": Return(status="accepted")}),
    )
    queries.keep("order", order_id, order)
    back = {"return_id": "r1", "lines": [{"sku": "tea", "quantity": 2}]}

    answer = await client.post(f"/orders/{order_id}/returns", json=back)

    assert 202 == answer.status


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param(
            {"lines": [{"sku": "tea", "quantity": 1, "amount_minor": 20_000}]},
            "lines[0].amount_minor",
            id="of a line",
        ),
        pytest.param({"amount_minor": 20_000}, "amount_minor", id="of the whole"),
        pytest.param({"amount_minor": None}, "amount_minor", id="even nothing"),
    ],
)
async def test_the_amount_of_a_return_is_not_the_customer_s_to_say(
    client: TestClient, queries: FakeWorker, changed: dict[str, Any], field: str
) -> None:
    """The field is named, and what to send instead."""
    order_id = (await (await place(client)).json())["order_id"]
    queries.keep("order", order_id, shipped(order_id))
    back = {"return_id": "r1", "lines": [{"sku": "tea", "quantity": 1}], **changed}

    answer = await client.post(f"/orders/{order_id}/returns", json=back)
    problem = await answer.json()

    assert (400, field) == (answer.status, problem["errors"][0]["field"])
    assert "Send sku and quantity alone" in problem["detail"]
    assert [OrderPlaced] == [type(message) for message, _ in queries.emitted]


async def test_an_order_shows_its_lines_and_a_list_of_orders_does_not(
    client: TestClient, queries: FakeWorker
) -> None:
    """A thousand orders of a thousand lines would be one answer."""
    queries.keep("order", "o1", shipped("o1"))

    one = await (await client.get("/orders/o1")).json()
    [listed] = (await (await client.get("/orders")).json())["orders"]

    assert [(1, "tea", 2, 2, 0)] == [
        (each["line"], each["sku"], each["quantity"], each["shipped"], each["returned"])
        for each in one["lines"]
    ]
    assert "lines" not in listed


async def test_a_repeated_request_is_the_same_event_at_the_same_time(
    client: TestClient, queries: FakeWorker
) -> None:
    """Analytics counts by minute: a client that asks again a minute later is counted once."""
    clock = iter(range(0, 10 * 60_000, 60_000))
    client.app[CONTEXT].now_ms = lambda: next(clock)
    order_id = (await (await place(client)).json())["order_id"]
    for _ in range(2):
        await client.post(f"/orders/{order_id}/cancel", json={"reason": "no"})

    _, first, again = (envelope for _, envelope in queries.emitted)

    assert (first.id, first.time_ms) == (again.id, again.time_ms)


async def test_goods_are_received_item_by_item(client: TestClient, queries: FakeWorker) -> None:
    """One message a SKU, each with an id of its own."""
    items = [{"sku": "tea", "quantity": 5}, {"sku": "cup", "quantity": 1}]

    answer = await client.post("/stock/receipts", json={"receipt_id": "r", "items": items})

    assert 202 == answer.status
    received = [message for message, _ in queries.emitted if isinstance(message, ReceiveStock)]
    assert 2 == len({envelope.id for _, envelope in queries.emitted})
    assert ["r/tea", "r/cup"] == [message.reference for message in received]
    assert (await answer.json())["ids"] == [message.receipt_id for message in received]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "x/" * 64), ("a/x", "x/" * 64), id="two receipts of a long SKU"),
        pytest.param(("a", "b/c"), ("a/b", "c"), id="a separator in the receipt"),
    ],
)
async def test_each_receipt_of_each_sku_has_an_id_of_its_own(
    client: TestClient, queries: FakeWorker, one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Items that came in under the id of others would not count."""
    for receipt_id, sku in (one, other):
        body = {"receipt_id": receipt_id, "items": [{"sku": sku, "quantity": 5}]}
        answer = await client.post("/stock/receipts", json=body)
        assert 202 == answer.status

    assert 2 == len({envelope.id for _, envelope in queries.emitted})
    assert 2 == len({message.receipt_id for message, _ in queries.emitted})


def stripe_event(**changed: Any) -> dict[str, Any]:
    """Return a webhook as the provider sends it."""
    intent = {"id": "pi_1", "amount": 500, "metadata": {"order_id": "o1"}}
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": intent}}
    return event | changed


async def notify(client: TestClient, body: bytes, header: str) -> Any:
    """Send a webhook."""
    headers = {"Stripe-Signature": header, "Content-Type": "application/json"}
    return await client.post("/webhooks/provider", data=body, headers=headers)


async def test_a_signed_webhook_is_emitted_with_one_id(
    client: TestClient, queries: FakeWorker
) -> None:
    """Doubled by the provider, it is the same event."""
    body = msgspec.json.encode(stripe_event())
    header = sign(body, CONFIG.provider_webhook_secret, int(time.time()))

    answers = [await notify(client, body, header) for _ in range(2)]

    assert [200, 200] == [answer.status for answer in answers]
    assert [ProviderNotified] * 2 == [type(message) for message, _ in queries.emitted]
    assert 1 == len({envelope.id for _, envelope in queries.emitted})


@pytest.mark.parametrize(
    ("event", "secret", "age_seconds"),
    [
        pytest.param(stripe_event(), "another", 0, id="forged"),
        pytest.param(stripe_event(), CONFIG.carrier_webhook_secret, 0, id="of another system"),
        pytest.param(stripe_event(), CONFIG.provider_webhook_secret, 301, id="played back"),
        pytest.param(stripe_event(), CONFIG.provider_webhook_secret, -400, id="from ahead"),
        pytest.param(stripe_event(data=5), CONFIG.provider_webhook_secret, 0, id="no intent"),
        pytest.param(stripe_event(id=None), CONFIG.provider_webhook_secret, 0, id="no id"),
    ],
)
async def test_a_bad_webhook_is_refused(
    client: TestClient, queries: FakeWorker, event: Any, secret: str, age_seconds: int
) -> None:
    """400, and nothing is emitted."""
    body = msgspec.json.encode(event)

    answer = await notify(client, body, sign(body, secret, int(time.time()) - age_seconds))

    assert (400, []) == (answer.status, queries.emitted)


REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 100,
    "payment_intent": "pi_1",
    "status": "failed",
    "metadata": {"order_id": "o1", "refund_key": "r1"},
}


async def test_a_webhook_about_a_refund_names_it(client: TestClient, queries: FakeWorker) -> None:
    """It says that something has changed; what, the provider is asked."""
    body = msgspec.json.encode(stripe_event(type="refund.failed", data={"object": REFUND}))

    answer = await notify(
        client, body, sign(body, CONFIG.provider_webhook_secret, int(time.time()))
    )

    [(message, _)] = queries.emitted
    assert (200, "refund_changed", "re_1", "pi_1") == (
        answer.status,
        message.kind,
        message.refund_id,
        message.payment_id,
    )


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({}, id="of nobody"),
        pytest.param(None, id="without any"),
        pytest.param({"invoice": "7"}, id="of another program"),
        pytest.param({"order_id": "o1", "installation": "another"}, id="of another instance"),
    ],
)
async def test_what_is_not_ours_is_acknowledged_and_ignored(
    client: TestClient, queries: FakeWorker, metadata: Any
) -> None:
    """Refused, Stripe would send it for days and then disable the endpoint."""
    intent = {"id": "pi_foreign1", "amount": 4_200, "metadata": metadata}
    body = msgspec.json.encode(stripe_event(data={"object": intent}))

    answer = await notify(
        client, body, sign(body, CONFIG.provider_webhook_secret, int(time.time()))
    )

    assert (200, []) == (answer.status, queries.emitted)


async def test_a_webhook_played_back_is_the_same_event_and_later_none(
    client: TestClient, queries: FakeWorker
) -> None:
    """The very bytes again: within five minutes it is known by its id, after them refused."""
    body = msgspec.json.encode(stripe_event())
    now = int(time.time())
    ages = [0, TOLERANCE_SECONDS - 60, TOLERANCE_SECONDS + 1]
    headers = [sign(body, CONFIG.provider_webhook_secret, now - age) for age in ages]

    answers = [await notify(client, body, header) for header in headers]

    assert [200, 200, 400] == [answer.status for answer in answers]
    assert 1 == len({envelope.id for _, envelope in queries.emitted})
    assert 2 == len(queries.emitted)


SIGNED = msgspec.json.encode(stripe_event())


@pytest.mark.parametrize(
    ("body", "is_signed"),
    [
        pytest.param(SIGNED.replace(b"500", b"501"), True, id="other bytes under the signature"),
        pytest.param(SIGNED, False, id="no signature"),
        pytest.param(b"", True, id="nothing"),
    ],
)
async def test_bytes_that_were_not_signed_are_refused(
    client: TestClient, queries: FakeWorker, body: bytes, is_signed: bool
) -> None:
    """The signature of one webhook is good for its own bytes alone; the header is named."""
    good = sign(SIGNED, CONFIG.provider_webhook_secret, int(time.time()))

    answer = await notify(client, body, good if is_signed else "")

    problem = await answer.json()
    assert (400, "Stripe-Signature") == (answer.status, problem["errors"][0]["field"])
    assert [] == queries.emitted


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        pytest.param(
            {"code": "card_declined", "decline_code": "expired_card"}, "expired_card", id="the card"
        ),
        pytest.param(
            {"code": "card_declined", "decline_code": None}, "card_declined", id="why not"
        ),
        pytest.param({"code": None}, "", id="nobody says"),
        pytest.param(None, "", id="nothing was wrong"),
    ],
)
async def test_a_declined_webhook_gives_the_reason_that_the_answer_gives(
    client: TestClient, queries: FakeWorker, failure: Any, reason: str
) -> None:
    """Whichever comes first, the customer gets the same."""
    event = stripe_event(type="payment_intent.payment_failed")
    event["data"] = {"object": event["data"]["object"] | {"last_payment_error": failure}}
    body = msgspec.json.encode(event)

    await notify(client, body, sign(body, CONFIG.provider_webhook_secret, int(time.time())))

    emitted: Any = queries.emitted[0][0]
    assert ("payment_failed", reason) == (emitted.kind, emitted.reason)


async def test_a_webhook_of_no_interest_is_acknowledged_and_left(
    client: TestClient, queries: FakeWorker
) -> None:
    """Refused, it would be sent again for days."""
    body = msgspec.json.encode(stripe_event(type="invoice.paid"))

    answer = await notify(
        client, body, sign(body, CONFIG.provider_webhook_secret, int(time.time()))
    )

    assert (200, []) == (answer.status, queries.emitted)


@pytest.mark.parametrize(
    ("secret", "age_seconds"),
    [
        pytest.param("another", 0, id="forged"),
        pytest.param(CONFIG.carrier_webhook_secret, 301, id="played back"),
    ],
)
async def test_a_bad_webhook_of_the_carrier_is_refused(
    client: TestClient, queries: FakeWorker, secret: str, age_seconds: int
) -> None:
    """Nobody else may say that a shipment was delivered."""
    event = {"order_id": "o1", "notice_id": "n1", "shipment_id": "s1", "status": "delivered"}
    body = msgspec.json.encode(event)
    signature = sign(body, secret, int(time.time()) - age_seconds)

    answer = await client.post(
        "/webhooks/carrier", data=body, headers={"X-Carrier-Signature": signature}
    )

    assert (400, []) == (answer.status, queries.emitted)


async def test_the_carriers_webhook_is_emitted(client: TestClient, queries: FakeWorker) -> None:
    """The same scheme under another header."""
    event = {"order_id": "o1", "notice_id": "n1", "shipment_id": "s1", "status": "delivered"}
    body = msgspec.json.encode(event)
    signature = sign(body, CONFIG.carrier_webhook_secret, int(time.time()))

    answer = await client.post(
        "/webhooks/carrier", data=body, headers={"X-Carrier-Signature": signature}
    )

    assert (200, CarrierNotified) == (answer.status, type(queries.emitted[0][0]))


async def test_tables_are_read_from_who_holds_them(client: TestClient, queries: FakeWorker) -> None:
    """List, page, row: over HTTP, from the worker the directory names."""
    for name in ("a", "b", "c"):
        queries.keep("stock", name, {"on_hand": 1})

    tables = (await (await client.get("/tables")).json())["tables"]
    page = await (await client.get("/tables/stock?limit=2")).json()
    row = await (await client.get("/tables/stock/c")).json()

    assert set(declared) == {table["name"] for table in tables}
    assert (["a", "b"], "b", False) == (
        [row["key"] for row in page["rows"]],
        page["next"],
        page["partial"],
    )
    assert {"on_hand": 1} == row["state"]


async def test_a_partition_that_nobody_holds_is_said(
    queries: FakeWorker, aiohttp_client: Any
) -> None:
    """503 and when to ask again; a page says that it is partial."""
    client = await aiohttp_client(make_api(queries, queries, Directory(), CONFIG))

    row, page = await client.get("/tables/stock/a"), await client.get("/tables/stock")

    assert (503, "1") == (row.status, row.headers["Retry-After"])
    assert (await page.json())["partial"]


async def test_events_come_in_causal_order_with_personal_fields_masked(
    client: TestClient, queries: FakeWorker
) -> None:
    """Causes before effects, whatever their clocks say."""
    cause = {
        "id": "e1",
        "type": "payflow.order.placed.v1",
        "time_ms": 9,
        "body": {"customer_id": "c1", "country": "France", "surname": "Hopper"},
    }
    effect = {"id": "e2", "type": "paid", "time_ms": 5, "causation_id": "e1"}
    other = {"id": "e3", "correlation_id": "o1|x", "time_ms": 1}
    for entry in (effect, cause, other):
        stored = {"correlation_id": "o1", **entry}
        queries.keep("journal", f"o1|{entry['time_ms']:014d}|{entry['id']}", stored)

    events = (await (await client.get("/orders/o1/events")).json())["events"]

    assert ["e1", "e2"] == [event["id"] for event in events]
    assert {"customer_id": "***", "country": "France", "surname": "***"} == events[0]["body"]
    assert {} == events[1]["body"]


def test_figures_are_summed_over_partitions_and_replaced_when_emitted_again() -> None:
    """The latest message on a minute, a country and a partition counts."""
    figures = Figures(FIGURES_OF_ORDERS)
    for partition, orders in ((0, 2), (1, 3), (0, 4)):
        figures.receive(
            FiguresUpdated(
                minute_ms=60_000,
                country="France",
                partition=partition,
                counts={"orders": orders, "completed": 1, "shipped_le_500": 1},
                sums={"revenue_minor": orders * 100},
            )
        )

    summary = figures.facts()
    assert (7, 700, 5) == (
        summary["totals"]["orders"],
        summary["totals"]["revenue_minor"],
        summary["totals"]["open"],
    )
    assert 500 == summary["to_shipped_ms"]["p95"]
    assert 1 == len(summary["minutes"]) == len(summary["countries"])


def test_figures_on_a_topic_of_their_own_are_read_too() -> None:
    """A workflow may have another agent count what it does: each topic is followed once."""
    elsewhere = msgspec.structs.replace(FIGURES_OF_ORDERS.topic, name="figures.elsewhere")
    other = msgspec.structs.replace(FIGURES_OF_ORDERS, topic=elsewhere)
    figures = Figures(FIGURES_OF_ORDERS, further={"same": FIGURES_OF_ORDERS, "other": other})

    assert [FIGURES_OF_ORDERS.topic.name, "figures.elsewhere"] == figures.topics


def test_figures_never_shrink() -> None:
    """Somebody may repeat an older message: its signature is right, its figures are not."""
    figures = Figures(FIGURES_OF_ORDERS)
    for orders in (2, 5, 2):
        figures.receive(
            FiguresUpdated(
                minute_ms=60_000, country="France", partition=0, counts={"orders": orders}, sums={}
            )
        )

    assert 5 == figures.facts()["totals"]["orders"]


def test_the_api_describes_itself() -> None:
    """A valid OpenAPI 3.1 document that covers every route."""
    document = describe(ROUTES)

    validate(document)
    assert {(route.path, route.method.lower()) for route in ROUTES} == {
        (path, method) for path, methods in document["paths"].items() for method in methods
    }


async def test_the_page_asks_nobody_else(client: TestClient) -> None:
    """Everything it loads comes from here, and the policy says so."""
    page = await client.get("/")
    text = await page.text()

    assert "default-src 'none'; script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "http://" not in text
    assert "https://" not in text
    for asset in ("live.js", "style.css"):
        assert 200 == (await client.get(f"/web/{asset}")).status


async def test_a_worker_shows_its_health_metrics_and_rows(
    queries: FakeWorker, aiohttp_client: Any
) -> None:
    """What an operator and the console ask of every process."""
    queries.keep("stock", "a", {"on_hand": 1})
    client = await aiohttp_client(make_site(queries, Config()))
    statuses = {path: (await client.get(path)).status for path in ("/livez", "/readyz", "/metrics")}

    assert {200} == set(statuses.values())
    assert "payflow_events_total" in await (await client.get("/metrics")).text()


async def test_a_worker_shows_rows_to_payflow_alone(
    queries: FakeWorker, aiohttp_client: Any
) -> None:
    """They are not masked there: a pass is for one path, and of Payflow's key."""
    queries.keep("stock", "a", {"on_hand": 1})
    config = Config(signing_key="new", signing_key_before="old")
    client = await aiohttp_client(make_site(queries, config))

    async def status(path: str, token: str) -> int:
        return (await client.get(path, headers={ROWS_PASS: token})).status

    for path in ("/tables/stock/a", "/tables/stock?prefix=a&limit=2", "/tables", "/totals"):
        for key, expected in (("new", 200), ("old", 200), ("other", 403)):
            assert expected == await status(path, rows_token(path, key))
        for wrong in ("", "\u00e9", rows_token("/tables/stock/b", "new")):
            assert 403 == await status(path, wrong)
    assert 404 == await status("/tables/x/y", rows_token("/tables/x/y", "new"))


@pytest.mark.parametrize(("key", "before"), [("new", KNOWN_KEY), (KNOWN_KEY, "old")])
async def test_beside_a_known_key_the_one_of_before_reads_nothing(
    queries: FakeWorker, aiohttp_client: Any, key: str, before: str
) -> None:
    """Everybody could make such a token."""
    queries.keep("stock", "a", {"on_hand": 1})
    config = Config(signing_key=key, signing_key_before=before)
    client = await aiohttp_client(make_site(queries, config))
    path = "/tables/stock/a"

    for secret, status in ((before, 403), (key, 200)):
        headers = {ROWS_PASS: rows_token(path, secret)}
        assert status == (await client.get(path, headers=headers)).status


async def test_a_worker_answers_no_page_of_another_name(
    queries: FakeWorker, aiohttp_client: Any
) -> None:
    """A name that leads here all of a sudden; what watches processes may call them as it likes."""
    client = await aiohttp_client(make_site(queries, Config(signing_key="new", host="10.0.0.7")))

    async def status(path: str, host: str) -> int:
        headers = {ROWS_PASS: rows_token(path, "new"), "Host": host}
        return (await client.get(path, headers=headers)).status

    for path in ("/tables/stock", "/tables", "/totals"):
        for host in ("127.0.0.1:80", "localhost", "[::1]:80", "10.0.0.7:9"):
            assert 200 == await status(path, host)
        for host in ("evil.example", "evil.example:80", "localhost.evil.example", ""):
            assert 421 == await status(path, host)
    for path in ("/livez", "/readyz", "/metrics"):
        assert 200 == await status(path, "pod-3.payflow.svc")


def test_a_worker_that_is_silent_is_taken_for_gone() -> None:
    """Ten seconds without a message."""
    directory = Directory()
    now_ms = time.time_ns() // 1_000_000
    for url, age_ms in (("new", 0), ("old", 60_000)):
        worker = Worker(
            service="s", url=url, pid=1, at_ms=now_ms - age_ms, partitions={"stock": [0]}
        )
        directory.receive(msgspec.json.encode(worker))
    directory.receive(b"noise")

    assert ["new"] == [worker.url for worker in directory.workers()]
    assert ("new", None) == (directory.owner("stock", 0).url, directory.owner("stock", 1))
