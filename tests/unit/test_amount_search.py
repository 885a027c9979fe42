"""Amounts in a search: with their currency by ISO 4217; a bare number says how it is read."""

from typing import Any

import pytest

from app.console.api.transaction_search import search_term
from app.operations.search.amount import Amount, NoAmount, amount_of
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.query import BadTerm, parse
from tests.support.consumer import FakeRecord


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        pytest.param("12.50 GBP", 1_250, "GBP", id="two decimals"),
        pytest.param("gbp 12.5", 1_250, "GBP", id="the currency first, and one decimal"),
        pytest.param("1,250 JPY", 1_250, "JPY", id="none"),
        pytest.param("1.25 KWD", 1_250, "KWD", id="three"),
        pytest.param("1 UYW", 10_000, "UYW", id="four"),
        pytest.param("1,234,567.00 EUR", 123_456_700, "EUR", id="thousands"),
        pytest.param("12.500 GBP", 1_250, "GBP", id="zeros that say nothing"),
    ],
)
def test_an_amount_is_read_in_the_decimals_of_its_currency(
    text: str, minor: int, currency: str
) -> None:
    """The same digits are other minor units in another currency."""
    assert Amount(minor=minor, currency=currency) == amount_of(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("12.50", "an amount needs its currency", id="bare"),
        pytest.param("12.505 GBP", "GBP has 2 decimals", id="too many decimals"),
        pytest.param("12.5 JPY", "JPY has no decimals", id="of a currency without any"),
        pytest.param("12 DEM", "DEM is not in the list of ISO 4217", id="retired"),
        pytest.param("12 XAU", "XAU is not money", id="gold"),
        pytest.param("GBP 12 EUR", "an amount needs its currency", id="two currencies"),
        pytest.param("1,25 GBP", "an amount needs its currency", id="a comma for decimals"),
        pytest.param("o1", "an amount needs its currency", id="an id"),
    ],
)
def test_what_is_no_amount_says_why(text: str, says: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(NoAmount, match=says):
        amount_of(text)


@pytest.mark.parametrize(
    ("body", "is_there"),
    [
        pytest.param({"amount_minor": 1_250, "currency": "GBP"}, True, id="this amount"),
        pytest.param({"amount_minor": 1_250, "currency": "JPY"}, False, id="another currency"),
        pytest.param({"amount_minor": 12_500, "currency": "GBP"}, False, id="another amount"),
        pytest.param({"quantity": 1_250, "currency": "GBP"}, False, id="no money"),
        pytest.param({"a": [{"net_minor": 1_250, "currency": "GBP"}]}, True, id="within"),
    ],
)
def test_a_record_has_an_amount_beside_its_currency(body: Any, is_there: bool) -> None:
    """Not the digits anywhere in its text."""
    assert is_there == amount_of("12.50 GBP").is_in(body)


@pytest.mark.parametrize(
    ("text", "term", "read_as"),
    [
        pytest.param("12.50 GBP", "amount:12.50 GBP", "read as the amount 12.50 GBP; ", id="money"),
        pytest.param(
            "1250",
            "text:1250",
            "read as text: an amount needs its currency, such as 12.50 GBP; ",
            id="a bare number",
        ),
        pytest.param(
            "12.505 GBP", "text:12.505 GBP", "read as text: GBP has 2 decimals; ", id="wrong"
        ),
        pytest.param("pi_507c", "text:pi_507c", "", id="an id"),
    ],
)
def test_a_search_says_how_it_reads_a_number(text: str, term: str, read_as: str) -> None:
    """So that nobody takes 1,250 yen for 12.50."""
    assert (term, read_as) == search_term(text)


def test_the_term_is_one_of_every_search() -> None:
    """`amount:` stands beside `text:`; a wrong one is refused."""
    [term] = parse(["amount:1.250 KWD"]).terms

    assert ("amount", "1250", "KWD") == (term.kind, term.value, term.name)
    with pytest.raises(BadTerm, match="JPY has no decimals"):
        parse(["amount:1.5 JPY"])


def test_a_record_is_found_by_its_amount() -> None:
    """And not one of as many minor units of another currency."""
    query = parse(["amount:1,250 JPY"])
    yen, pence = (
        FakeRecord(
            *("payments", 0, 0),
            value=b'{"amount_minor":1250,"currency":"%b"}' % currency,
            headers=(("ce_type", b"payflow.payment.completed.v1"),),
        )
        for currency in (b"JPY", b"GBP")
    )

    assert query.may_hold(yen)
    assert [True, False] == [query.holds(MaskedRecord(each)) for each in (yen, pence)]
