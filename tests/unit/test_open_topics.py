"""What others emit on the open topics: taken for what it is, refused with a reason, or poison."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.delivery.agent import Decider
from app.registry import load_agents
from app.wire import codecs
from app.wire.envelope import Envelope
from tests.support.workflow_runner import receive
from workflows.inventory.messages import InventoryRejected, InventoryReturned
from workflows.order import process as order
from workflows.order import topics as order_topics
from workflows.order.messages import GoodwillGranted, OrderPlaced, ReturnLine, ReturnRequested
from workflows.order.returns import LINES_WAITING_MAX, Return, Returns, evolve
from workflows.order.saga_messages import TOO_MANY_ASKED, ReturnRefused
from workflows.payment import process as payment
from workflows.payment.messages import PaymentFailed
from workflows.payment.provider_messages import ChargeCard
from workflows.shared.limits import LINES_MAX, MINOR_MAX, RETURNS_ASKED_MAX, RETURNS_MAX
from workflows.shared.message import Message, type_name

MUG = {"sku": "mug", "quantity": 2, "amount_minor": 400}
PLACED: dict[str, Any] = {
    "type": "payflow.order.placed.v1",
    "order_id": "o1",
    "country": "France",
    "currency": "GBP",
    "lines": [MUG],
    "total_minor": 400,
    "payment_method": "pm_card_visa",
    "ordered_at_ms": 5,
}
TWIN = {
    "country": "Germany",
    "currency": "EUR",
    "lines": [MUG | {"sku": "tin"}],
    "total_minor": 1,
    "payment_method": "pm_card_chargeDeclined",
}
HEARING = [
    name
    for name, agent in sorted(load_agents().items())
    if order_topics.orders in agent.consumes and isinstance(agent, Decider)
]


def placed(**changes: Any) -> OrderPlaced:
    """Return the order with `changes`."""
    return msgspec.convert(PLACED | changes, OrderPlaced)


def read(body: bytes, message: type[Message], key: bytes) -> Message:
    envelope = Envelope(
        id="e1", type=type_name(message), source="/x", time_ms=5, subject="", correlation_id="c"
    )
    return codecs.decode(body, envelope, key)


@pytest.mark.parametrize("name", HEARING)
def test_every_agent_keeps_to_the_first_of_two_orders_of_one_id(name: str) -> None:
    """All read the same partition in the same order, so the first is the same for everybody."""
    agent = load_agents()[name]
    assert agent.table is not None
    state, _ = receive(agent, agent.table.initial, (placed(), 0))

    assert (state, ()) == receive(agent, state, (placed(**TWIN), 1))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        pytest.param({"lines": [MUG | {"quantity": -1}]}, "wrong_shape", id="minus one mug"),
        pytest.param({"lines": [MUG | {"quantity": 0}]}, "wrong_shape", id="no mug"),
        pytest.param({"lines": [MUG | {"quantity": 10**9}]}, "wrong_shape", id="a billion"),
        pytest.param({"lines": [MUG] * (LINES_MAX + 1)}, "wrong_shape", id="too many lines"),
        pytest.param({"lines": [MUG | {"amount_minor": -1}]}, "wrong_shape", id="money back"),
        pytest.param({"total_minor": 0}, "wrong_shape", id="for nothing"),
        pytest.param({"total_minor": 2**64}, "wrong_shape", id="beyond 64 bits"),
        pytest.param({"total_minor": 400.5}, "wrong_shape", id="half a penny"),
        pytest.param({"total_minor": "400"}, "wrong_shape", id="a text"),
        pytest.param({"currency": "gbp"}, "wrong_shape", id="no currency"),
        pytest.param({"country": "Fra\x00nce"}, "wrong_shape", id="a NUL"),
        pytest.param({"customer_id": "c\x00"}, "wrong_shape", id="a customer nobody could check"),
        pytest.param({"customer_id": ""}, "", id="a guest"),
        pytest.param({"currency": "GBP\n"}, "wrong_shape", id="a currency and a line end"),
        pytest.param({"payment_method": "pm\n"}, "wrong_shape", id="a line end at the end"),
        pytest.param({"order_id": ".."}, "wrong_shape", id="another place of a path"),
        pytest.param({"order_id": "o\u202e1"}, "", id="characters that turn the line"),
        pytest.param({"ordered_at_ms": -1}, "wrong_shape", id="before there were times"),
        pytest.param(
            {"lines": [MUG | {"description": "x" * 500}] * LINES_MAX, "reference": "ü" * 128},
            "",
            id="as large as an order may be",
        ),
        pytest.param(
            {"lines": [MUG | {"description": "ü" * 500}] * LINES_MAX}, "too_large", id="larger"
        ),
    ],
)
def test_an_order_with_wild_values_is_poison(changes: dict[str, Any], cause: str) -> None:
    """Nothing of it is decided: it lies in the dead topics of all who receive orders."""
    body = PLACED | changes
    actual_cause = ""
    try:
        read(msgspec.json.encode(body), OrderPlaced, body["order_id"].encode())
    except codecs.Poison as poison:
        actual_cause = poison.cause

    assert cause == actual_cause


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"\\ud800"', id="half a surrogate"),
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b"NaN", id="not a number"),
        pytest.param(b"1e999", id="infinite"),
        pytest.param(b"[" * 100_000, id="a hundred thousand brackets"),
    ],
)
def test_a_field_that_is_no_json_is_poison(body: bytes) -> None:
    """Whatever is wrong with it; in a field that nobody reads it is not checked."""
    order_json = msgspec.json.encode(PLACED)[:-1] + b',"reference":' + body + b"}"

    with pytest.raises(codecs.Poison):
        read(order_json, OrderPlaced, b"o1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"total_minor": 399},
            "the total is not the sum of its lines and charges",
            id="a total that does not add up",
        ),
        pytest.param(
            {
                "lines": [MUG | {"amount_minor": MINOR_MAX}] * 2,
                "charges": [
                    {"code": "discount", "amount_minor": -MINOR_MAX},
                    {"code": "discount", "amount_minor": 400 - MINOR_MAX},
                ],
            },
            "its sums are larger than money may be",
            id="sums that no message can say",
        ),
    ],
)
def test_money_that_does_not_add_up_is_never_asked_for(
    changes: dict[str, Any], reason: str
) -> None:
    """A business no: the order is cancelled like any whose payment failed."""
    _, emitted = receive(payment, payment.INITIAL, (placed(**changes), 0))

    assert (PaymentFailed(transaction_id="o1", reason=reason),) == emitted


def test_a_charge_besides_the_lines_adds_up() -> None:
    """Postage is part of the total."""
    postage = [{"code": "postage", "amount_minor": 50}]
    _, emitted = receive(payment, payment.INITIAL, (placed(charges=postage, total_minor=450), 0))

    assert [ChargeCard] == [type(message) for message in emitted]


def test_more_units_than_any_shelf_may_be_asked_for_are_out_of_stock() -> None:
    """Each line alone is right; together they are a billion."""
    inventory = load_agents()["inventory"]
    assert inventory.table is not None
    lines = [MUG | {"quantity": 1_000_000, "amount_minor": 0}] * (LINES_MAX - 1)
    _, emitted = receive(inventory, inventory.table.initial, (placed(lines=[MUG, *lines]), 0))

    assert (InventoryRejected(order_id="o1", reason="out_of_stock", skus=("mug",)),) == emitted


def goodwill(number: int) -> GoodwillGranted:
    """Return goodwill `number` of an operator."""
    return GoodwillGranted(order_id="o1", return_id=f"goodwill-{number}", amount_minor=1)


def return_request(number: int, lines: int = 1, name: str = "") -> ReturnRequested:
    """Return the request for return `number`."""
    line = ReturnLine(sku="mug", quantity=1, amount_minor=1)
    return ReturnRequested(
        order_id="o1", return_id=name or f"r{number}", lines=(line,) * lines, amount_minor=1
    )


def test_an_order_has_a_hundred_returns_and_refuses_more_again_and_again() -> None:
    """A row without end would be one that no topic takes."""
    state, _ = receive(order, order.INITIAL, (placed(), 0))
    for number in range(RETURNS_MAX):
        state, _ = receive(order, state, (goodwill(number), 1))

    after, emitted = receive(order, state, (goodwill(RETURNS_MAX), 2))

    refused = ReturnRefused(
        order_id="o1",
        return_id=f"goodwill-{RETURNS_MAX}",
        reason="an order has at most 100 returns",
        is_goodwill=True,
    )
    assert (state, (refused,)) == (after, emitted)
    assert (state, (refused,)) == receive(order, after, (goodwill(RETURNS_MAX), 3))


def test_the_returns_that_a_customer_asks_for_are_fewer_refused_ones_among_them() -> None:
    """Of an order that has ended each is decided at once; goodwill has room of its own."""
    state, _ = receive(order, order.INITIAL, (placed(), 0))
    ended = replace(state, cancelled_at_ms=1)
    for number in range(RETURNS_ASKED_MAX):
        ended, emitted = receive(order, ended, (return_request(number), 1))
        assert ["the order was cancelled"] == [each.reason for each in emitted]

    after, emitted = receive(order, ended, (return_request(RETURNS_ASKED_MAX), 2))

    refused = ReturnRefused(order_id="o1", return_id=f"r{RETURNS_ASKED_MAX}", reason=TOO_MANY_ASKED)
    assert (ended, (refused,)) == (after, emitted)
    assert "refused" == after.returns.by_id["r0"].status
    assert "goodwill-1" in receive(order, after, (goodwill(1), 3))[0].returns.by_id


def test_lines_that_wait_for_the_end_of_an_order_are_bounded() -> None:
    """What is too much is refused when the order ends, and remembered without its lines."""
    state, _ = receive(order, order.INITIAL, (placed(), 0))
    for number in range(LINES_WAITING_MAX // LINES_MAX + 1):
        state, _ = receive(order, state, (return_request(number, LINES_MAX), 1))

    waiting = list(state.returns.by_id.values())
    assert [LINES_MAX, LINES_MAX, 0] == [len(each.lines) for each in waiting]
    assert ["", "", "too much waits to be judged already"] == [each.reason for each in waiting]


def test_a_return_cannot_have_the_name_of_a_compensation() -> None:
    """Its refund would be taken for that of the whole order."""
    state, _ = receive(order, order.INITIAL, (placed(), 0))

    after, emitted = receive(order, state, (return_request(0, name="compensation"), 1))

    assert state == after
    assert [("compensation", ReturnRefused)] == [
        (message.return_id, type(message)) for message in emitted
    ]


def test_lines_on_their_way_back_are_bounded_too() -> None:
    """The row of inventory holds them until the shelves have them back."""
    line = ReturnLine(sku="mug", quantity=1, amount_minor=1)
    under_way = Return(status="accepted", amount_minor=1, lines=(line,) * LINES_MAX)
    held = Returns(by_id={"r0": under_way, "r1": under_way})

    refused = evolve(held, return_request(2))
    back = evolve(held, InventoryReturned(order_id="o1", return_id="r0"))
    accepted = evolve(back, return_request(2))

    assert "too much is on its way back already" == refused.by_id["r2"].reason
    assert () == back.by_id["r0"].lines
    assert ("", 1) == (accepted.by_id["r2"].reason, len(accepted.by_id["r2"].lines))
