"""What an order waits for, in text: since when, until when, and its real status."""

import pytest
from msgspec.structs import replace

from workflows.order.pending_steps import pending_steps, status_of
from workflows.order.process import FRAUD_MS, INVENTORY_MS, PAYMENT_MS, STUCK_AFTER_MS
from workflows.order.retried_calls import tried
from workflows.order.returns import Return, Returns
from workflows.order.state import Mark, Order
from workflows.payment.charge import Charge
from workflows.payment.process import Payment
from workflows.payment.refund import Refund, Refunds
from workflows.shared.retry import Wait
from workflows.shipping.state import Shipment

PLACED_MS = 1_000
PLACED = Order(order_id="o1", placed_at_ms=PLACED_MS)
PAID = replace(
    PLACED,
    payment=Mark(status="completed", at_ms=2_000),
    inventory=Mark(status="reserved", at_ms=1_500),
)
BLAMED = replace(PAID, cause="fraud", cause_at_ms=3_000)


def test_a_new_order_waits_for_money_and_goods():
    """The one that is due first stands first."""
    stock, money = pending_steps(PLACED)

    assert (PLACED_MS, PLACED_MS + INVENTORY_MS) == (stock.since_ms, stock.until_ms)
    assert (PLACED_MS, PLACED_MS + PAYMENT_MS) == (money.since_ms, money.until_ms)
    assert "shelf" in stock.what
    assert "provider" in money.what


def test_a_paid_order_waits_for_the_verdict():
    """From the payment on."""
    (verdict,) = pending_steps(PAID)

    assert (2_000, 2_000 + FRAUD_MS) == (verdict.since_ms, verdict.until_ms)


def test_what_is_taken_back_is_named():
    """Money that was taken, items that are held; nothing that is back already."""
    both = pending_steps(BLAMED)
    money = pending_steps(replace(BLAMED, inventory=Mark(status="released", at_ms=4_000)))

    assert {3_000 + STUCK_AFTER_MS} == {each.until_ms for each in both}
    assert ["money" in each.what for each in both].count(True) == 1
    assert ["the money to be refunded"] == [each.what for each in money]
    assert () == pending_steps(replace(BLAMED, cancelled_at_ms=9_000))


def test_a_return_that_is_under_way_is_named():
    """With what of it is still missing."""
    back = Returns(by_id={"r1": Return(status="accepted", amount_minor=5, refunded=True)})
    (missing,) = pending_steps(replace(PAID, completed_at_ms=9_000, returns=back))

    assert "return r1: its items to be restocked" == missing.what


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (Order(), "unknown"),
        (PLACED, "waiting"),
        (replace(PLACED, payment=Mark(status="pending", at_ms=1_200)), "retrying"),
        (replace(PLACED, overdue=("payment",)), "retrying"),
        (BLAMED, "compensating"),
        (replace(BLAMED, cancelled_at_ms=9_000), "cancelled"),
        (replace(PAID, completed_at_ms=9_000), "completed"),
    ],
)
def test_a_status_says_where_it_stands(state: Order, status: str):
    """Not only that it is open."""
    assert status == status_of(state, 5_000)


def test_who_waits_too_long_is_stuck():
    """Also while compensating."""
    assert "stuck" == status_of(PLACED, PLACED_MS + INVENTORY_MS + STUCK_AFTER_MS + 1)
    assert "stuck" == status_of(BLAMED, 3_000 + STUCK_AFTER_MS + 1)


WAIT = Wait(tries=3, due_at_ms=9_000)


@pytest.mark.parametrize(
    ("payment", "shipment", "what"),
    [
        pytest.param(Payment(), Shipment(), [], id="nobody was asked"),
        pytest.param(
            Payment(charge=Charge(asked="charge", unknown_since_ms=5, wait=WAIT)),
            Shipment(),
            ["what became of the charge"],
            id="a charge nobody knows of",
        ),
        pytest.param(
            Payment(charge=Charge(asked="void", unknown_since_ms=5, wait=WAIT)),
            Shipment(),
            ["to take no money any more"],
            id="a charge nobody wants any more",
        ),
        pytest.param(
            Payment(charge=Charge(asked="charge", unknown_since_ms=5, outcome="succeeded")),
            Shipment(),
            [],
            id="a charge known in the end",
        ),
        pytest.param(
            Payment(
                refunds=Refunds(
                    by_key={
                        "r1": Refund(amount_minor=1, status="asked", reason="503"),
                        "r2": Refund(amount_minor=1, status="told", reason="503"),
                    },
                    wait=WAIT,
                )
            ),
            Shipment(),
            ["to refund the customer (r1)"],
            id="a refund on its way, and one that is back",
        ),
        pytest.param(
            Payment(),
            Shipment(status="stopping", unknown_since_ms=5, wait=WAIT),
            ["to stop the shipment"],
            id="a shipment to be stopped",
        ),
        pytest.param(
            Payment(),
            Shipment(status="travelling", unknown_since_ms=5),
            [],
            id="a shipment whose booking was unknown once",
        ),
    ],
)
def test_who_is_asked_again_is_named(payment: Payment, shipment: Shipment, what: list[str]):
    """Only where an answer is missing; with when they are asked next."""
    steps = tried(payment, shipment)

    assert what == [each.what for each in steps]
    assert all((3, 9_000) == (each.tries, each.next_ms) for each in steps)
