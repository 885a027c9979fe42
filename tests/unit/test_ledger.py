"""Ledger, by example."""

import msgspec
import pytest

from tests.support.examples.ledger import CREATED, NEVER_SHIPPED, STOPPED, paid, refunded
from tests.support.workflow_runner import Received, after
from workflows.ledger import process as ledger
from workflows.ledger.messages import Account, EntryPosted, Posting
from workflows.payment.messages import PaymentPending


def debit(account: Account, amount_minor: int) -> Posting:
    """Return the left side."""
    return Posting(account=account, debit_minor=amount_minor)


def credit(account: Account, amount_minor: int) -> Posting:
    """Return the right side."""
    return Posting(account=account, credit_minor=amount_minor)


def entry(cause: str, *postings: Posting) -> EntryPosted:
    """Return the entry made for `cause`."""
    return EntryPosted(
        entry_id=f"o1/{cause}", transaction_id="o1", currency="GBP", postings=postings, cause=cause
    )


PAID = paid(1_000, 250)
PAYMENT = entry("payment", debit("cash_at_provider", 1_250), credit("customer_receivable", 1_250))
SALE = entry(
    "sale",
    debit("customer_receivable", 1_250),
    credit("revenue", 1_000),
    credit("shipping", 250),
)
REVERSAL = entry(
    "sale reversed",
    credit("customer_receivable", 1_250),
    debit("revenue", 1_000),
    debit("shipping", 250),
)
BACK = entry("refund/f1", debit("customer_receivable", 1_250), credit("cash_at_provider", 1_250))


@pytest.mark.parametrize(
    ("earlier", "when", "then"),
    [
        pytest.param([], PAID, (PAYMENT,), id="money in is owed to the customer"),
        pytest.param([PAID], PAID, (), id="a payment is posted once"),
        pytest.param([PAID], CREATED, (SALE,), id="what is sent is sold"),
        pytest.param([PAID, CREATED], CREATED, (), id="a sale is posted once"),
        pytest.param([], CREATED, (), id="a sale waits for its amounts"),
        pytest.param([CREATED], PAID, (PAYMENT, SALE), id="and is posted with them"),
        pytest.param(
            [PAID, CREATED], STOPPED, (REVERSAL,), id="a stopped shipment reverses the sale"
        ),
        pytest.param([PAID, CREATED, STOPPED], STOPPED, (), id="a sale is reversed once"),
        pytest.param([PAID], STOPPED, (SALE, REVERSAL), id="stopped before it was sent"),
        pytest.param([PAID, STOPPED], CREATED, (), id="the sending received late adds nothing"),
        pytest.param(
            [CREATED, STOPPED], PAID, (PAYMENT, SALE, REVERSAL), id="the payment received last"
        ),
        pytest.param([PAID], NEVER_SHIPPED, (), id="what was never sent was never sold"),
        pytest.param(
            [PAID], refunded("f1", 1_250), (BACK,), id="a compensation undoes the payment"
        ),
        pytest.param([], refunded("f1", 1_250), (BACK,), id="also when received before it"),
        pytest.param(
            [refunded("f1", 1_250)], refunded("f1", 1_250), (), id="a refund is posted once"
        ),
        pytest.param(
            [PAID, CREATED, refunded("f1", 100, "r1")],
            refunded("f2", 100, "r2"),
            (entry("refund/f2", debit("refunds", 100), credit("cash_at_provider", 100)),),
            id="each return is money given up",
        ),
        pytest.param(
            [paid(1_000, -250)],
            CREATED,
            (
                entry(
                    "sale",
                    debit("customer_receivable", 750),
                    credit("revenue", 1_000),
                    debit("revenue", 250),
                ),
            ),
            id="a discount is revenue given up",
        ),
        pytest.param(
            [paid(1_000, 0)],
            CREATED,
            (entry("sale", debit("customer_receivable", 1_000), credit("revenue", 1_000)),),
            id="nothing is posted as nothing",
        ),
        pytest.param(
            [], PaymentPending(transaction_id="o1", reason="x"), (), id="a doubt is not a fact"
        ),
    ],
)
def test_posting(earlier: list[Received], when: Received, then: tuple[EntryPosted, ...]) -> None:
    """Given what was received, when this is received, then these entries are made."""
    assert then == after(ledger, *earlier, when)[1]


@pytest.mark.parametrize(
    ("story", "balances"),
    [
        pytest.param(
            [PAID, CREATED],
            {
                "cash_at_provider": 1_250,
                "customer_receivable": 0,
                "revenue": -1_000,
                "shipping": -250,
            },
            id="a completed order owes nobody",
        ),
        pytest.param(
            [PAID, CREATED, STOPPED, refunded("f1", 1_250)],
            {"cash_at_provider": 0, "customer_receivable": 0, "revenue": 0, "shipping": 0},
            id="a stopped order leaves nothing",
        ),
        pytest.param(
            [PAID, NEVER_SHIPPED, refunded("f1", 1_250)],
            {"cash_at_provider": 0, "customer_receivable": 0},
            id="a cancelled order leaves nothing",
        ),
        pytest.param(
            [PAID, CREATED, refunded("f1", 200, "r1")],
            {
                "cash_at_provider": 1_050,
                "customer_receivable": 0,
                "revenue": -1_000,
                "shipping": -250,
                "refunds": 200,
            },
            id="a return costs what was refunded",
        ),
    ],
)
def test_the_books_at_the_end(story: list[Received], balances: dict[str, int]) -> None:
    """Debits less credits of every account."""
    assert balances == after(ledger, *story)[0].balances


def test_the_books_name_their_currency() -> None:
    """One order, one currency."""
    assert "GBP" == after(ledger, PAID)[0].currency


def test_an_entry_keeps_the_limits_of_the_wire() -> None:
    """The longest refund id makes no entry that may not be said."""
    (emitted,) = after(ledger, refunded("f" * 128, 1))[1]

    assert emitted == msgspec.convert(msgspec.to_builtins(emitted), EntryPosted)
