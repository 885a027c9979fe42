"""Orders in yen, dinars and pounds side by side: every screen has the right words for each."""

import pytest
from aiohttp.test_utils import TestClient

from app.console.pages.render import WEB, _environment
from app.registry import load_workflows
from tests.support.console import ORDER, FakeWorker, place
from workflows.notification import process as notification
from workflows.notification.process import INITIAL
from workflows.order.messages import OrderPlaced
from workflows.order.state import Mark, Order
from workflows.payment.messages import PaymentCompleted, PaymentRefunded

SHOWN = [
    pytest.param("JPY", 1_250, "1,250 JPY", id="yen have no decimals"),
    pytest.param("KWD", 1_230, "1.230 KWD", id="dinars have three"),
    pytest.param("GBP", 1_250, "12.50 GBP", id="pounds have two"),
    pytest.param("GBP", 123_450, "1,234.50 GBP", id="thousands are grouped"),
]
WRONG = {"12.50 JPY", "12.30 KWD", "1,230 KWD", "1.250 GBP"}


def order(currency: str, amount_minor: int) -> Order:
    """Return an order that was paid, in plain state."""
    return Order(
        order_id=f"in {currency}",
        placed_at_ms=1_000,
        country="France",
        currency=currency,
        total_minor=amount_minor,
        charged_minor=amount_minor,
        payment=Mark(status="completed", at_ms=2_000),
    )


@pytest.mark.parametrize(("currency", "amount_minor", "amount_text"), SHOWN)
async def test_the_page_of_an_order_and_the_list_of_orders(
    client: TestClient, queries: FakeWorker, currency: str, amount_minor: int, amount_text: str
) -> None:
    """What is charged on the page, and what it comes to in its headline."""
    queries.keep("order", "o1", order(currency, amount_minor))
    page = await (await client.get("/console/transactions/o1")).text()

    assert f"Charged {amount_text}" in page
    assert not {wrong for wrong in WRONG if wrong in page}
    view = load_workflows()["order"].view
    assert f"{amount_text} from France" == view.headline(view.facts(order(currency, amount_minor)))


@pytest.mark.parametrize(("currency", "amount_minor"), [("JPY", 1_250), ("KWD", 1_230)])
async def test_an_order_is_taken_in_its_currency(
    client: TestClient, queries: FakeWorker, currency: str, amount_minor: int
) -> None:
    """The amount goes on in minor units, untouched."""
    line = {"sku": "tea", "quantity": 1, "amount_minor": amount_minor}
    answer = await place(client, {**ORDER, "currency": currency, "lines": [line]})

    [(message, _)] = queries.emitted
    assert isinstance(message, OrderPlaced)
    assert (202, currency, amount_minor) == (answer.status, message.currency, message.total_minor)


@pytest.mark.parametrize(("currency", "amount_minor", "amount_text"), SHOWN)
def test_the_messages_to_customers(currency: str, amount_minor: int, amount_text: str) -> None:
    """What they paid, and what they get back."""
    paid = PaymentCompleted(
        transaction_id="o1", payment_id="pi_1", amount_minor=amount_minor,
        goods_minor=amount_minor, charges_minor=0, currency=currency, country="France",
        customer_id="ann", ordered_at_ms=1,
    )  # fmt: skip
    back = PaymentRefunded(
        transaction_id="o1", payment_id="pi_1", refund_id="re_1",
        amount_minor=amount_minor, currency=currency, kind="return", return_id="r1",
    )  # fmt: skip
    state = notification.evolve(INITIAL, paid, 1)
    for emitted in (notification.decide(INITIAL, paid, 1), notification.decide(state, back, 2)):
        text = " ".join(map(str, emitted))

        assert amount_text in text
        assert not {wrong for wrong in WRONG if wrong in text}


async def test_the_page_of_invariants_shows_each_sum_in_its_currency() -> None:
    """Charged and refunded by currency, and money that is held."""
    verdict = {
        "trouble": "", "age_seconds": 1, "balances": {}, "checks": [],
        "charged_by_currency": {"GBP": 1_250, "JPY": 1_250, "KWD": 1_230},
        "refunded_by_currency": {},
        "held_minor": {"JPY": 5},
        "orders_cancelled": {"out_of_stock": 2},
    }  # fmt: skip
    text = await _environment.get_template("invariants.html").render_async(
        found=verdict, made_of=tuple(verdict)[4:], title="Invariants", path="/", nav=(), who=None
    )

    assert "12.50 GBP, 1,250 JPY, 1.230 KWD" in text
    assert "<dt>charged</dt>" in text
    assert "<dt>refunded</dt><dd>nothing</dd>" in text
    assert "<dt>held</dt><dd>5 JPY</dd>" in text
    assert "out of stock 2" in text


def test_the_live_page_says_the_decimals_of_each_currency() -> None:
    """The scripts have no table of their own."""
    assert "data-exponents='{{ exponents | tojson }}'" in (WEB / "templates/live.html").read_text()
