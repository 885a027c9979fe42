"""Orders that ship without the lines that are out of stock, by example."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.examples.capture import CREATED_IN_PART as CREATED
from tests.support.examples.capture import PARTIAL
from tests.support.examples.inventory import at, refused, reserved
from tests.support.examples.order import CLEARED, DELIVERED
from tests.support.workflow_runner import START_MS, after
from workflows.fraud.messages import FraudDetected
from workflows.inventory import process as inventory
from workflows.inventory.messages import InventoryRejected, InventoryReleased, InventoryReserved
from workflows.inventory.stock_messages import ReleaseStock, ShipStock, StockReleased, UnshipStock
from workflows.ledger import process as ledger
from workflows.notification import process as notification
from workflows.notification.messages import RequestMessage
from workflows.order import fact_projection
from workflows.order import process as order
from workflows.order.facts import Facts
from workflows.order.invariants import judge
from workflows.order.messages import Charge, GoodwillGranted, Line, OrderPlaced, ReturnLine
from workflows.order.messages import ReturnRequested as Asked
from workflows.order.pending_steps import pending_steps
from workflows.order.saga_messages import (
    OrderCancelled,
    OrderCompleted,
    ReturnAccepted,
    ReturnRefused,
)
from workflows.order.state import kept_minor
from workflows.order.view import details, view
from workflows.payment import process as payment
from workflows.payment import provider_messages as p
from workflows.payment.books import lines_of_payment
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.dispute_messages import DisputeOpened, RefundCoveredByDispute
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.payment.provider_capture_messages import (
    CaptureCharge,
    CaptureRefused,
    ChargeAuthorized,
    ChargeCaptured,
)
from workflows.shared.invariants import Moment
from workflows.shipping import carrier_messages as c
from workflows.shipping import process as shipping
from workflows.shipping.messages import ShipmentCancelled

PLACED = OrderPlaced(
    order_id="o1",
    customer_id="c1",
    country="France",
    currency="GBP",
    lines=(
        Line(sku="mug", quantity=2, amount_minor=400),
        Line(sku="tin", quantity=1, amount_minor=500),
        Line(sku="mug", quantity=1, amount_minor=100),
    ),
    charges=(
        Charge(code="POST", amount_minor=50),
        Charge(code="D", amount_minor=-100),
        Charge(code="VAT", amount_minor=50),
    ),
    total_minor=1_000,
    payment_method="pm_card_visa",
    ordered_at_ms=5,
    partial_shipment=True,
)
WHOLE = replace(PLACED, partial_shipment=False)
HELD_LATER = replace(PLACED, capture="at_shipment")
MUGS = reserved("mug", 3)
NO_TIN, NO_MUGS = refused("tin"), refused("mug")
RESERVED = InventoryReserved(order_id="o1", units=3, partial=PARTIAL)
STOPPED = ShipmentCancelled(order_id="o1", cause="fraud", shipment_id="s1")
FRAUD = FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1")
CHARGED = p.ChargeSucceeded(
    transaction_id="o1", payment_id="pi", amount_minor=1_000, currency="GBP"
)
HELD = ChargeAuthorized(
    transaction_id="o1",
    payment_id="pi",
    amount_minor=1_000,
    currency="GBP",
    capture_before_ms=START_MS + 7 * 86_400_000,
)
CAPTURED = ChargeCaptured(transaction_id="o1", payment_id="pi", amount_minor=525, currency="GBP")
REFUSED = CaptureRefused(transaction_id="o1", reason="charge_expired_for_capture")
BACK = p.RefundSucceeded(
    transaction_id="o1", refund_key="unshipped", refund_id="re", amount_minor=475
)
LOST = p.RefundFailed(
    transaction_id="o1", refund_key="unshipped", refund_id="re", reason="lost_or_stolen_card"
)
REST_BACK = replace(BACK, refund_key="compensation", refund_id="re2", amount_minor=525)


def names(emitted: tuple[Any, ...]) -> list[str]:
    return [type(each).__name__ for each in emitted]


# --- inventory ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "then"),
    [
        pytest.param([PLACED, NO_TIN], (), id="a refusal waits for the other shelves"),
        pytest.param([PLACED, NO_TIN, MUGS], (RESERVED,), id="what can be had is reserved"),
        pytest.param([PLACED, MUGS, NO_TIN], (RESERVED,), id="in whatever order they answer"),
        pytest.param([PLACED, MUGS, NO_TIN, NO_TIN], (), id="once"),
        pytest.param(
            [PLACED, NO_TIN, NO_MUGS],
            (InventoryRejected(order_id="o1", reason="out_of_stock", skus=("mug", "tin")),),
            id="nothing at all is out of stock",
        ),
        pytest.param(
            [WHOLE, MUGS, NO_TIN],
            (
                InventoryRejected(order_id="o1", reason="out_of_stock", skus=("tin",)),
                at(ReleaseStock, "mug"),
            ),
            id="an order of before is all or nothing",
        ),
        pytest.param(
            [PLACED, MUGS, reserved("tin", 1)],
            (InventoryReserved(order_id="o1", units=4),),
            id="all there: nothing is left out",
        ),
        pytest.param(
            [replace(PLACED, total_minor=999), MUGS, NO_TIN],
            (
                InventoryRejected(order_id="o1", reason="out_of_stock", skus=("tin",)),
                at(ReleaseStock, "mug"),
            ),
            id="what does not add up is not priced",
        ),
        pytest.param(
            [
                replace(
                    PLACED,
                    lines=(
                        Line(sku="mug", quantity=1, amount_minor=0),
                        Line(sku="tin", quantity=1, amount_minor=1_000),
                    ),
                    charges=(),
                ),
                reserved("mug", 1),
                NO_TIN,
            ],
            (
                InventoryRejected(order_id="o1", reason="out_of_stock", skus=("tin",)),
                at(ReleaseStock, "mug"),
            ),
            id="what costs nothing does not ship alone",
        ),
        pytest.param([PLACED, NO_TIN, MUGS, CREATED], (at(ShipStock, "mug"),), id="the rest ships"),
        pytest.param(
            [PLACED, NO_TIN, MUGS, reserved("tin", 1)],
            (at(ReleaseStock, "tin"),),
            id="what is held too late is released",
        ),
        pytest.param(
            [PLACED, NO_TIN, MUGS, FRAUD], (at(ReleaseStock, "mug"),), id="or is put back"
        ),
        pytest.param(
            [PLACED, NO_TIN, MUGS, FRAUD, at(StockReleased, "mug")],
            (InventoryReleased(order_id="o1"),),
            id="which is all that there is to put back",
        ),
        pytest.param(
            [PLACED, NO_TIN, MUGS, CREATED, STOPPED],
            (UnshipStock(order_id="o1", sku="mug", quantity=3),),
            id="also when it had left",
        ),
    ],
)
def test_what_is_reserved(story: list[Any], then: tuple[Any, ...]) -> None:
    """Given what was received, the last of it makes inventory emit this."""
    assert then == after(inventory, *story)[1]


def test_what_is_charged_is_rounded_down_to_a_step_of_the_provider() -> None:
    """Cards take no thousandths of a dinar."""
    lines = (
        Line(sku="mug", quantity=1, amount_minor=1_000),
        Line(sku="tin", quantity=1, amount_minor=2_000),
    )
    dinars = replace(PLACED, currency="KWD", lines=lines, total_minor=2_900)
    dinars = replace(dinars, charges=(Charge(code="D", amount_minor=-100),))
    [reservation] = after(inventory, dinars, reserved("mug", 1), NO_TIN)[1]

    assert (960, 1_940) == (reservation.partial.amount_minor, reservation.partial.released_minor)


@pytest.mark.parametrize(
    ("currency", "mugs_minor", "capture", "ships"),
    [
        pytest.param("GBP", 30, "at_shipment", True, id="as much as can be captured"),
        pytest.param("GBP", 29, "at_shipment", False, id="a penny less"),
        pytest.param("GBP", 29, "automatic", True, id="taken already: the rest goes back"),
        pytest.param("JPY", 50, "at_shipment", True, id="fifty yen"),
        pytest.param("JPY", 49, "at_shipment", False, id="a yen less"),
        pytest.param("HUF", 17_499, "at_shipment", False, id="less than 175 forint"),
        pytest.param("KWD", 10, "at_shipment", True, id="of which the provider names none"),
    ],
)
def test_a_part_that_cannot_be_captured_does_not_ship(
    currency: str, mugs_minor: int, capture: Any, *, ships: bool
) -> None:
    """The items would leave, and an operator would have to write them off."""
    lines = (
        Line(sku="mug", quantity=1, amount_minor=mugs_minor),
        Line(sku="tin", quantity=1, amount_minor=20_000),
    )
    about = {"charges": (), "total_minor": mugs_minor + 20_000, "capture": capture}
    order = replace(PLACED, currency=currency, lines=lines, **about)
    emitted = after(inventory, order, reserved("mug", 1), NO_TIN)[1]

    reserves = [each for each in emitted if isinstance(each, InventoryReserved)]
    assert ships == bool(reserves)
    assert (
        ships or InventoryRejected(order_id="o1", reason="out_of_stock", skus=("tin",)) in emitted
    )


# --- shipping, payment, ledger -----------------------------------------------------


def paid_of(*story: Any) -> PaymentCompleted:
    [paid, *_] = after(payment, *story)[1]
    assert isinstance(paid, PaymentCompleted)
    return paid


def test_the_carrier_is_asked_for_what_is_reserved() -> None:
    """The carrier is asked for these units; the shipment says what is in it."""
    paid = paid_of(PLACED, CHARGED)
    booked = c.ShipmentBooked(order_id="o1", shipment_id="s1")
    [book] = after(shipping, PLACED, paid, RESERVED, CLEARED)[1]
    [created] = after(shipping, PLACED, paid, RESERVED, CLEARED, booked)[1]

    assert 3 == book.units
    assert CREATED == created


def test_a_part_of_what_is_held_is_taken() -> None:
    """Captured and voided are what was held."""
    state, emitted = after(payment, HELD_LATER, HELD, CREATED)
    [capture] = emitted
    paid = paid_of(HELD_LATER, HELD, CREATED, CAPTURED)

    assert isinstance(capture, CaptureCharge)
    assert 525 == capture.amount_minor
    assert (525, 500, 25, 475) == (
        paid.amount_minor,
        paid.goods_minor,
        paid.charges_minor,
        paid.released_minor,
    )
    assert 1_000 == paid.amount_minor + paid.released_minor
    assert () == after(payment, HELD_LATER, HELD, CREATED, CREATED)[1]
    assert () == tuple(lines_of_payment(state, START_MS))


def test_a_capture_of_another_amount_than_that_part_is_a_mismatch() -> None:
    """The whole too: the provider was asked for less."""
    story = [HELD_LATER, HELD, CREATED]

    assert ["PaymentMismatch", "PaymentCompleted"] == names(
        after(payment, *story, replace(CAPTURED, amount_minor=1_000))[1]
    )


def test_the_hold_is_asked_about_with_its_own_amount() -> None:
    """The provider refuses a key that comes with other parameters."""
    decided = CaptureCaseDecided(transaction_id="o1", decision="written_off", reference="c7")
    void, lost = after(payment, HELD_LATER, HELD, CREATED, REFUSED, decided)[1]

    assert 1_000 == void.amount_minor
    assert (525, 500, 25) == (lost.amount_minor, lost.goods_minor, lost.charges_minor)


def test_what_was_taken_at_once_for_the_rest_goes_back() -> None:
    """Under a key of its own, once, when the items leave."""
    [refund_request] = after(payment, PLACED, CHARGED, CREATED)[1]
    [refunded] = after(payment, PLACED, CHARGED, CREATED, BACK)[1]

    assert isinstance(refund_request, p.RefundCharge)
    assert ("unshipped", 475) == (refund_request.refund_key, refund_request.amount_minor)
    assert isinstance(refunded, PaymentRefunded)
    assert ("unshipped", "", 475) == (refunded.kind, refunded.return_id, refunded.amount_minor)
    assert () == after(payment, PLACED, CHARGED, CREATED, BACK, CREATED)[1]


def test_a_stopped_shipment_gives_the_other_part_back_too() -> None:
    """All that was charged, and no more."""
    [rest] = after(payment, PLACED, CHARGED, CREATED, BACK, STOPPED)[1]
    [refund_of_capture] = after(payment, HELD_LATER, HELD, CREATED, CAPTURED, STOPPED)[1]

    assert ("compensation", 525) == (rest.refund_key, rest.amount_minor)
    assert ("compensation", 525) == (refund_of_capture.refund_key, refund_of_capture.amount_minor)


def test_what_is_taken_before_it_leaves_by_somebody_else_is_refunded_in_part() -> None:
    """A capture by hand at the provider takes all that was held."""
    by_hand = replace(CAPTURED, amount_minor=1_000)
    [refund_request] = after(payment, HELD_LATER, HELD, by_hand, CREATED)[1]

    assert ("unshipped", 475) == (refund_request.refund_key, refund_request.amount_minor)


@pytest.mark.parametrize("first", ["payment", "shipment"])
@pytest.mark.parametrize("placed", [PLACED, HELD_LATER], ids=["automatic", "at_shipment"])
def test_the_books_have_the_sale_of_what_left(placed: OrderPlaced, first: str) -> None:
    """In whichever order the events come; the customer owes nothing."""
    is_held = placed is HELD_LATER
    story = [placed, HELD, CREATED, CAPTURED] if is_held else [placed, CHARGED]
    paid = paid_of(*story)
    events: list[Any] = [paid, CREATED] if first == "payment" else [CREATED, paid]
    if not is_held:
        events += [after(payment, PLACED, CHARGED, CREATED, BACK)[1][0]]

    balances = after(ledger, *events)[0].balances

    assert {
        "cash_at_provider": 525,
        "customer_receivable": 0,
        "revenue": -500,
        "shipping": -25,
    } == (balances)


def test_the_books_have_what_was_taken_when_that_differs_from_what_was_asked() -> None:
    """The sale is what was paid, as of any capture: the customer owes nothing."""
    emitted = after(payment, HELD_LATER, HELD, CREATED, replace(CAPTURED, amount_minor=524))[1]
    paid = emitted[-1]

    assert isinstance(paid, PaymentCompleted)
    assert 0 == after(ledger, CREATED, paid)[0].balances["customer_receivable"]


def test_a_stopped_part_leaves_no_sale_and_no_money() -> None:
    """The sale that is reversed is that of the part."""
    paid = paid_of(PLACED, CHARGED)
    [part] = after(payment, PLACED, CHARGED, CREATED, BACK)[1]
    other = replace(BACK, refund_key="compensation", refund_id="re2", amount_minor=525)
    [rest] = after(payment, PLACED, CHARGED, CREATED, BACK, STOPPED, other)[1]

    balances = after(ledger, paid, CREATED, part, STOPPED, rest)[0].balances

    assert {0} == set(balances.values())


# --- the customer and the order -------------------------------------------------------


def test_the_customer_reads_which_lines_do_not_come_and_what_is_charged() -> None:
    """With the shipment; a message of its own follows for what goes back."""
    [shipped] = after(notification, paid_of(PLACED, CHARGED), CREATED)[1]
    refunded = after(payment, PLACED, CHARGED, CREATED, BACK)[1][0]
    [back] = after(notification, paid_of(PLACED, CHARGED), refunded)[1]

    assert isinstance(shipped, RequestMessage)
    assert "Out of stock, so they do not come: 1 x tin. You pay 5.25 GBP" in shipped.text
    assert isinstance(back, RequestMessage)
    assert "4.75 GBP is on its way back" in back.text


def done(*more: Any, held: bool = False) -> tuple[Any, tuple[Any, ...]]:
    """Return the order after `more` once it is completed, and what the last emitted."""
    if held:
        paid = paid_of(HELD_LATER, HELD, CREATED, CAPTURED)
        [authorized] = after(payment, HELD_LATER, HELD)[1]
        story = [HELD_LATER, authorized, RESERVED, CLEARED, CREATED, paid, DELIVERED]
    else:
        story = [PLACED, paid_of(PLACED, CHARGED), RESERVED, CLEARED, CREATED, DELIVERED]
    return after(order, *story, *more)


def return_request(return_id: str, sku: str, quantity: int) -> Asked:
    line = ReturnLine(sku=sku, quantity=quantity)
    return Asked(order_id="o1", return_id=return_id, lines=(line,))


@pytest.mark.parametrize("held", [False, True], ids=["automatic", "at_shipment"])
def test_only_what_was_shipped_comes_back_and_all_of_it_is_what_was_paid(*, held: bool) -> None:
    """The postage with the last unit that was shipped."""
    state, completed = done(held=held)
    [tin] = done(return_request("r1", "tin", 1), held=held)[1]
    [two] = done(return_request("r1", "mug", 2), held=held)[1]
    [last] = done(return_request("r1", "mug", 2), return_request("r2", "mug", 1), held=held)[1]
    [more] = done(return_request("r1", "mug", 2), return_request("r2", "mug", 2), held=held)[1]

    assert (OrderCompleted(order_id="o1"),) == completed
    assert 525 == kept_minor(state)
    assert isinstance(tin, ReturnRefused)
    assert "more of tin than was shipped" == tin.reason
    assert isinstance(two, ReturnAccepted)
    assert isinstance(last, ReturnAccepted)
    assert (380, 145) == (two.amount_minor, last.amount_minor)
    assert isinstance(more, ReturnRefused)


def test_goodwill_is_no_more_than_stays_paid() -> None:
    """What goes back for lines that did not come is not given a second time."""
    much = GoodwillGranted(order_id="o1", return_id="goodwill-1", amount_minor=526)
    [refusal] = done(much)[1]
    [grant] = done(replace(much, amount_minor=525))[1]

    assert isinstance(refusal, ReturnRefused)
    assert isinstance(grant, ReturnAccepted)


def test_no_return_has_the_name_of_that_refund() -> None:
    """Else its money would be taken for the return's."""
    [refusal] = done(return_request("unshipped", "mug", 1))[1]

    assert isinstance(refusal, ReturnRefused)


def ended_by(*refunds: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return an order whose shipment was stopped after `refunds`, and what the last emitted."""
    story = [PLACED, paid_of(PLACED, CHARGED), RESERVED, CLEARED, CREATED, STOPPED]
    return after(order, *story, InventoryReleased(order_id="o1"), *refunds)


def test_a_stopped_order_is_cancelled_once_both_of_its_refunds_are_back() -> None:
    """What was for lines that were not to ship is one of its own, and may fail or be pending."""
    rest = after(payment, PLACED, CHARGED, CREATED, STOPPED, BACK, REST_BACK)[1][0]
    unshipped = after(payment, PLACED, CHARGED, CREATED, BACK)[1][0]
    lost = replace(after(payment, PLACED, CHARGED, CREATED, BACK, LOST)[1][0], tries_again=True)
    covered = RefundCoveredByDispute(
        transaction_id="o1",
        payment_id="pi",
        dispute_id="dp",
        refund_key="unshipped",
        amount_minor=475,
        left_minor=0,
        currency="GBP",
        kind="unshipped",
    )
    over = (OrderCancelled(order_id="o1", cause="fraud"),)

    assert ("compensation", "unshipped") == (rest.kind, unshipped.kind)
    assert [(), over] == [ended_by(rest)[1], ended_by(rest, unshipped)[1]]
    assert [(), over] == [ended_by(unshipped)[1], ended_by(unshipped, rest)[1]]
    assert () == ended_by(unshipped, lost, rest)[1]
    assert over == ended_by(unshipped, lost, rest, unshipped)[1]
    assert over == ended_by(rest, covered)[1]
    assert over == ended_by(replace(rest, amount_minor=1_000))[1]


def test_an_order_that_waits_for_the_second_refund_says_so_and_is_not_stuck() -> None:
    """A provider may take days over it, and a bank months over a dispute."""
    rest = after(payment, PLACED, CHARGED, CREATED, STOPPED, BACK, REST_BACK)[1][0]
    opened = DisputeOpened(
        transaction_id="o1",
        payment_id="pi",
        dispute_id="dp",
        amount_minor=475,
        currency="GBP",
        reason="fraudulent",
        is_inquiry=False,
    )
    waits, disputed = ended_by(rest)[0], ended_by(rest, opened)[0]

    assert ["the money to be refunded"] == [each.what for each in pending_steps(waits)]
    assert (order.overdue_at_ms(waits) or 0) - START_MS > 14 * 86_400_000
    assert (order.overdue_at_ms(disputed) or 0) - START_MS > 100 * 86_400_000


def test_the_order_shows_what_does_not_come() -> None:
    """For people and the API."""
    refunded = after(payment, PLACED, CHARGED, CREATED, BACK)[1][0]
    state, _ = done(refunded)
    order_view, lines = view(state), details(state)["lines"]

    assert 475 == order_view["amounts"]["refunded_minor"]
    assert (525, 475) == (
        order_view["partial"]["charged_minor"],
        order_view["partial"]["not_charged_minor"],
    )
    assert [(2, 0), (0, 1), (1, 0)] == [(each["shipped"], each["unavailable"]) for each in lines]
    assert view(after(order, WHOLE)[0])["partial"] is None


# --- verify --------------------------------------------------------------------------


def offending(*events: Any) -> dict[str, tuple[str, ...]]:
    """Return what each check names of one order, by the events about it."""
    facts = Facts()
    for event in events:
        fact_projection.project(facts, event, START_MS)
    moment = Moment(now_ms=START_MS + 86_400_000)
    return {check.name: check.offending for check in judge(facts, moment).checks}


def test_verify_finds_what_is_priced_taken_or_refunded_wrong() -> None:
    """To the minor unit."""
    paid, over = paid_of(PLACED, CHARGED), OrderCompleted(order_id="o1")
    refunded = after(payment, PLACED, CHARGED, CREATED, BACK)[1][0]
    held = after(payment, HELD_LATER, HELD)[1][0]
    captured = paid_of(HELD_LATER, HELD, CREATED, CAPTURED)
    name, other = "partial_shipments_add_up", replace(PARTIAL, amount_minor=526)

    def offending_ids(*events: Any) -> tuple[str, ...]:
        return offending(*events, CREATED, over)[name]

    assert () == offending_ids(PLACED, paid, RESERVED, refunded)
    assert ("o1",) == offending_ids(PLACED, paid, RESERVED)
    assert ("o1",) == offending_ids(PLACED, paid, RESERVED, replace(refunded, amount_minor=474))
    assert () == offending_ids(HELD_LATER, held, RESERVED, captured)
    assert ("o1",) == offending_ids(HELD_LATER, held, RESERVED, replace(captured, amount_minor=526))
    assert ("o1",) == offending_ids(PLACED, paid, replace(RESERVED, partial=other), refunded)
    assert ("o1",) == offending_ids(WHOLE, paid, RESERVED, refunded)
    assert () == offending(HELD_LATER, held, RESERVED, captured, CREATED, over)["holds_add_up"]


def test_verify_bounds_returns_by_what_was_shipped() -> None:
    """Without one, with one of all that came, and with a minor unit more."""
    paid, over = paid_of(PLACED, CHARGED), OrderCompleted(order_id="o1")
    refunded = after(payment, PLACED, CHARGED, CREATED, BACK)[1][0]
    events = [PLACED, paid, RESERVED, refunded, CREATED, over]
    [two] = done(return_request("r1", "mug", 3))[1]
    assert isinstance(two, ReturnAccepted)

    name = "returns_within_shipped"
    assert () == offending(*events)[name]
    assert () == offending(*events, two)[name]
    assert ("o1 (0 units, 1 minor units too many)",) == (
        offending(*events, replace(two, amount_minor=526))[name]
    )
