"""The retail file, by example."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from app.fraud.analysis.offline import Offline
from app.local.importers import retail_file
from app.local.importers.order_file import read_plan
from app.local.importers.retail_file import Adjust, Ask, PlaceOrder, Plan, Refuse, ReturnItems
from app.local.importers.retail_returns import WITHOUT_ITEMS
from tests.support.retail_rows import Raw, comparable_asks, planned
from tests.support.workflow_runner import JUDGE
from workflows.fraud.messages import FraudDetected
from workflows.order.messages import Charge, Line, ReturnLine
from workflows.payment.messages import PaymentCompleted
from workflows.shared.limits import LINES_MAX

FILE = Path(__file__).parents[2] / "data" / "online_retail_2010-12.csv"
DATE = "2010-12-01 08:26:00"
AT_MS = 1_291_191_960_000
TOO_LARGE = "the amount is too large"


def row(
    invoice: str = "1",
    code: str = "mug",
    quantity: int | str = 2,
    price: str = "2.50",
    customer: str = "7.0",
    **others: str,
) -> dict[str, str]:
    """Return one row of the file."""
    return {
        "InvoiceNo": invoice,
        "StockCode": code,
        "Description": "A THING",
        "Quantity": str(quantity),
        "InvoiceDate": DATE,
        "UnitPrice": price,
        "CustomerID": customer,
        "Country": "France",
        **others,
    }


def line(sku: str, quantity: int, amount_minor: int) -> Line:
    """Return one line of an order."""
    return Line(sku=sku, quantity=quantity, amount_minor=amount_minor, description="A THING")


def order(
    *lines: Line, rows: int = 1, charges: tuple[Charge, ...] = (), customer: str = "7"
) -> Ask:
    """Return the order that invoice 1 asks for."""
    return PlaceOrder(
        rows=rows,
        reference="1",
        customer_id=customer,
        country="France",
        lines=lines,
        charges=charges,
        total_minor=sum(priced.amount_minor for priced in (*lines, *charges)),
        ordered_at_ms=AT_MS,
    )


def back(reference: str, *lines: ReturnLine, rows: int = 1, invoice: str = "C9") -> ReturnItems:
    """Return the return of `lines` to the sale `reference`."""
    return ReturnItems(
        rows=rows,
        return_id=f"{invoice}/{reference}",
        reference=reference,
        lines=lines,
    )


def came(sku: str, quantity: int) -> ReturnLine:
    """Return one line of a return: units, and no amount."""
    return ReturnLine(sku=sku, quantity=quantity)


def no(reason: str, rows: int = 1) -> Refuse:
    """Return a refusal."""
    return Refuse(rows=rows, reason=reason)


def post(amount_minor: int, code: str = "POST") -> Charge:
    """Return a charge."""
    return Charge(code=code, amount_minor=amount_minor)


MUGS = line("mug", 2, 500)


@pytest.mark.parametrize(
    ("rows", "asks"),
    [
        pytest.param([row()], [order(MUGS)], id="an invoice is an order"),
        pytest.param(
            [row(), row(code="tin", quantity=1)],
            [order(MUGS, line("tin", 1, 250), rows=2)],
            id="its rows are lines",
        ),
        pytest.param(
            [row(), row(quantity=3, price="1")],
            [order(line("mug", 5, 800), rows=2)],
            id="the same code twice is one line",
        ),
        pytest.param(
            [row(), row(invoice="2", price="0", customer=""), row(code="tin", quantity=1)],
            [
                order(MUGS, line("tin", 1, 250), rows=2),
                Adjust(rows=1, adjustment_id="2/0", sku="mug", delta=2, reason="A THING"),
            ],
            id="an invoice that reappears is one order",
        ),
        pytest.param([row(customer="")], [order(MUGS, customer="")], id="no customer is a guest"),
        pytest.param(
            [row(), row(code="POST", quantity=1, price="18.00")],
            [order(MUGS, charges=(post(1_800),), rows=2)],
            id="postage is a charge",
        ),
        pytest.param(
            [row(), row(code="gift_0001_20", quantity=1, price="1")],
            [order(MUGS, charges=(post(100, "gift_0001_20"),), rows=2)],
            id="a voucher is a charge",
        ),
        pytest.param(
            [row(), row(code="m", quantity=1, price="1")],
            [order(MUGS, charges=(post(100, "m"),), rows=2)],
            id="lower case is no other code",
        ),
        pytest.param(
            [row(), row(code="D", quantity=1, price="1")],
            [order(MUGS, charges=(post(-100, "D"),), rows=2)],
            id="a discount is a negative charge",
        ),
        pytest.param(
            [row(code="PADS", quantity=1, price="1")],
            [order(line("PADS", 1, 100))],
            id="pads are items",
        ),
        pytest.param(
            [row(code="POST", quantity=1, price="18")],
            [order(charges=(post(1_800),))],
            id="charges alone are an order",
        ),
        pytest.param(
            [row(), row(code="tin", price="0")],
            [order(MUGS, line("tin", 2, 0), rows=2)],
            id="a free line stays in its order",
        ),
        pytest.param(
            [row(quantity=1, price="0.005")], [order(line("mug", 1, 1))], id="half a penny is one"
        ),
        pytest.param(
            [row(quantity=-5, price="0", customer="")],
            [Adjust(rows=1, adjustment_id="1/0", sku="mug", delta=-5, reason="A THING")],
            id="a write-off takes stock away",
        ),
        pytest.param(
            [row(quantity=5, price="0", customer="", Description="")],
            [Adjust(rows=1, adjustment_id="1/0", sku="mug", delta=5, reason="stock found")],
            id="items without price and customer are found",
        ),
    ],
)
def test_selling(rows: list[Raw], asks: list[Ask]) -> None:
    """Given these rows, this is asked."""
    assert asks == comparable_asks(planned(rows))


SALE = row()
OLD, NEW = row(invoice="1"), row(invoice="2", quantity=3, price="3.00")


@pytest.mark.parametrize(
    ("rows", "asks"),
    [
        pytest.param([SALE, row("C9", quantity=-1)], [back("1", came("mug", 1))], id="a part"),
        pytest.param(
            [SALE, row("C9", quantity=-2, price="9.99")],
            [back("1", came("mug", 2))],
            id="whatever the price",
        ),
        pytest.param(
            [row(quantity=3, price="0.333"), *(row(f"C{at}", quantity=-1) for at in (7, 8, 9))],
            [
                back("1", came("mug", 1), invoice="C7"),
                back("1", came("mug", 1), invoice="C8"),
                back("1", came("mug", 1), invoice="C9"),
            ],
            id="in three parts",
        ),
        pytest.param(
            [OLD, NEW, row("C9", quantity=-4)],
            [back("1", came("mug", 2)), back("2", came("mug", 2), rows=0)],
            id="over several sales, the earliest first",
        ),
        pytest.param(
            [SALE, row("C9", quantity=-1), row("C9", quantity=-1)],
            [back("1", came("mug", 1), came("mug", 1), rows=2)],
            id="one return for one sale",
        ),
        pytest.param(
            [SALE, row("C9", quantity=-3)], [no("return without a matching sale")], id="too many"
        ),
        pytest.param(
            [SALE, row("C8", quantity=-2), row("C9", quantity=-1)],
            [back("1", came("mug", 2), invoice="C8"), no("return without a matching sale")],
            id="what came back is gone",
        ),
        pytest.param(
            [SALE, row("C8", quantity=-3), row("C9", quantity=-2)],
            [no("return without a matching sale"), back("1", came("mug", 2))],
            id="a refusal takes nothing",
        ),
        pytest.param(
            [SALE, row("C9", quantity=-1, customer="8")],
            [no("return without a matching sale")],
            id="another customer",
        ),
        pytest.param(
            [SALE, row("C9", code="tin", quantity=-1)],
            [no("return without a matching sale")],
            id="other items",
        ),
        pytest.param(
            [SALE, row("C9", quantity=-1, customer="")],
            [no("return without a customer")],
            id="a guest",
        ),
        pytest.param(
            [SALE, row("C9", quantity=-1, price="0")], [no("nothing to refund")], id="no price"
        ),
        pytest.param(
            [SALE, row("C9", quantity=1)], [no("positive quantity in a return")], id="the wrong way"
        ),
        pytest.param(
            [OLD, NEW, row("C9", code="D", quantity=-1, price="5.50")],
            [no(WITHOUT_ITEMS)],
            id="a discount afterwards is for an operator",
        ),
        pytest.param(
            [
                SALE,
                row(code="POST", quantity=3, price="6"),
                row("C8", code="POST", quantity=-1, price="6"),
                row("C9", quantity=-2),
            ],
            [no(WITHOUT_ITEMS), back("1", came("mug", 2))],
            id="postage comes back with the last unit, not by itself",
        ),
        pytest.param(
            [SALE, row(code="tin", price="0"), row("C8", "tin", -1)],
            [back("1", came("tin", 1), invoice="C8")],
            id="what was free comes back too",
        ),
        pytest.param(
            [row("C9", quantity=-1), SALE], [no("return without a matching sale")], id="early"
        ),
    ],
)
def test_returning(rows: list[Raw], asks: list[Ask]) -> None:
    """Given these sales and returns, this is asked besides the orders."""
    plan = comparable_asks(planned(rows))

    assert asks == [ask for ask in plan if not isinstance(ask, PlaceOrder)]


@pytest.mark.parametrize(
    ("dirty", "reason"),
    [
        pytest.param({}, "InvoiceNo is missing", id="an empty row"),
        pytest.param(row(invoice=""), "InvoiceNo is missing", id="no invoice"),
        pytest.param(row(code=" "), "StockCode is missing", id="no code"),
        pytest.param(row(Country=""), "Country is missing", id="no country"),
        pytest.param(row(invoice="1" * 61), "InvoiceNo is too long", id="a long invoice"),
        pytest.param(row(customer="1" * 61), "CustomerID is too long", id="a long customer"),
        pytest.param(row(invoice="A563185"), "unknown kind of invoice: A", id="another prefix"),
        pytest.param(row(invoice="CC1"), "unknown kind of invoice: C", id="a doubled prefix"),
        pytest.param(row(invoice="²"), "unknown kind of invoice: ²", id="a digit of another kind"),
        pytest.param(row(quantity="two"), "Quantity is not a whole number", id="a message"),
        pytest.param(row(quantity="1.5"), "Quantity is not a whole number", id="half a unit"),
        pytest.param(row(quantity="1_0"), "Quantity is not a whole number", id="a number in code"),
        pytest.param(row(quantity=0), "Quantity is zero or above a million", id="nothing"),
        pytest.param(
            row(quantity=-1_000_001), "Quantity is zero or above a million", id="too many"
        ),
        pytest.param(row(price=""), "UnitPrice is not an amount", id="no price"),
        pytest.param(row(price="nan"), "UnitPrice is not an amount", id="not a number"),
        pytest.param(row(price="-1"), "UnitPrice is not an amount", id="a negative price"),
        pytest.param(row(price="1_0"), "UnitPrice is not an amount", id="a price in code"),
        pytest.param(row(quantity=1_000_000, price="1000.01"), TOO_LARGE, id="a fortune"),
        pytest.param(row(InvoiceDate="then"), "InvoiceDate is not a date", id="no date"),
        pytest.param(row(InvoiceDate="1969-12-31"), "InvoiceDate is not a date", id="before time"),
        pytest.param(row(InvoiceDate="9999-12-31"), "InvoiceDate is not a date", id="after time"),
        pytest.param(row(code="TEST001"), "a test of the shop's own", id="a test"),
        pytest.param(row(quantity=-1), "negative quantity in a sale", id="a sale backwards"),
        pytest.param(row(price="0"), "nothing to charge", id="an order for nothing"),
        pytest.param(row(code="D"), "nothing to charge", id="a discount off nothing"),
        pytest.param(
            row(code="POST", price="0", customer=""), "a charge of nothing", id="free postage"
        ),
    ],
)
def test_refusing(dirty: Raw, reason: str) -> None:
    """Given this row, it is refused with what is wrong with it."""
    assert [no(reason)] == comparable_asks(planned([dirty]))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param(
            [row(code=f"s{at}") for at in range(LINES_MAX + 1)],
            f"more than {LINES_MAX} lines",
            id="an order too long",
        ),
        pytest.param(
            [row("C9", quantity=-1)] * (LINES_MAX + 1),
            f"more than {LINES_MAX} lines",
            id="a return too long",
        ),
        pytest.param(
            [row(quantity=900_000, price="0.01")] * 2,
            "Quantity is zero or above a million",
            id="a line too many",
        ),
        pytest.param([row(quantity=900_000, price="900")] * 2, TOO_LARGE, id="an order too dear"),
    ],
)
def test_refusing_a_whole_invoice(rows: list[Raw], reason: str) -> None:
    """Given these rows, all of them are refused at once."""
    assert [no(reason, rows=len(rows))] == comparable_asks(planned(rows))


def test_one_bad_row_does_not_refuse_its_invoice() -> None:
    """What can be read of it is ordered."""
    rows = [row(code="gold", quantity=1_000_000, price="1000.01"), row()]

    assert [no(TOO_LARGE), order(MUGS)] == comparable_asks(planned(rows))


@pytest.mark.parametrize(
    ("date", "at_ms"),
    [
        pytest.param("2010-12-01 08:26:00", AT_MS, id="of this file"),
        pytest.param("12/1/2010 8:26", AT_MS, id="of the original"),
        pytest.param("2010-12-01T09:26:00+01:00", AT_MS, id="with a zone"),
    ],
)
def test_dates_are_read_as_utc(date: str, at_ms: int) -> None:
    """Unless they say otherwise."""
    (ask,) = planned([row(InvoiceDate=date)]).asks

    assert isinstance(ask, PlaceOrder)
    assert at_ms == ask.ordered_at_ms


@pytest.fixture(scope="module", name="real")
def the_real_file() -> Plan:
    return read_plan(FILE)


def test_the_columns_are_those_of_the_file() -> None:
    """In their order."""
    with FILE.open(encoding="utf-8", newline="") as file:
        assert list(retail_file.COLUMNS) == next(csv.reader(file))


def test_the_real_file_in_numbers(real: Plan) -> None:
    """What a reader of the file can count by hand."""
    assert {
        "rows": 10_000,
        "orders": 424,
        "returns": 9,
        "adjustments": 45,
        f"refused: {WITHOUT_ITEMS}": 2,
        "refused: return without a matching sale": 88,
    } == retail_file.summary(real)


def test_every_row_of_the_real_file_is_somewhere(real: Plan) -> None:
    """Lines of orders, of returns, counts and refusals sum to what was read."""
    rows = Counter[type]()
    for ask in real.asks:
        rows[type(ask)] += ask.rows

    assert {PlaceOrder: 9_855, ReturnItems: 10, Adjust: 45, Refuse: 90} == rows


def test_the_units_sold_are_those_of_the_orders(real: Plan) -> None:
    """So that the shelves can be filled before."""
    placed = [ask for ask in real.asks if isinstance(ask, PlaceOrder)]

    assert (90_010, 1_985) == (sum(real.sold_units.values()), len(real.sold_units))
    assert 90_010 == sum(each.quantity for ask in placed for each in ask.lines)


def judged(real: Plan) -> Iterator[object]:
    """Judge the payment of every order of the file, as it stands there."""
    queries = Offline(JUDGE)
    for ask in real.asks:
        if isinstance(ask, PlaceOrder):
            paid = PaymentCompleted(
                transaction_id=ask.reference,
                payment_id="p",
                amount_minor=ask.total_minor,
                goods_minor=ask.total_minor,
                charges_minor=0,
                currency=retail_file.CURRENCY,
                customer_id=ask.customer_id,
                country=ask.country,
                ordered_at_ms=ask.ordered_at_ms,
            )
            yield from queries.receive(paid, ask.ordered_at_ms)


def test_few_orders_of_the_real_file_look_like_fraud(real: Plan) -> None:
    """Some, and less than one in fifty."""
    flagged = [
        message.transaction_id for message in judged(real) if isinstance(message, FraudDetected)
    ]

    assert ["536592", "536783", "536784", "536785", "536786", "536876", "536982"] == flagged
    assert len(flagged) < 424 / 50


def test_what_the_real_file_asks_keeps_the_limits_of_the_wire(real: Plan) -> None:
    """Every line and charge can be said."""
    asks = list(real.asks)

    assert asks == msgspec.convert(msgspec.to_builtins(asks), list[Ask])
