"""Countries are those of ISO 3166, by code or name; files say some otherwise, and lose no line."""

import csv
from pathlib import Path

import pytest

from app.entrypoints.order import placed
from app.entrypoints.order_bodies import LineAsked, OrderAsked
from app.entrypoints.requests import BadRequest
from app.local.importers.file_countries import asked_country
from tests.support import countries
from tests.support.source import ROOT
from workflows.order.messages import OrderPlaced
from workflows.shared.countries import CODES, country_code, spellings

IN_THE_FILES = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Bermuda": "BM",
    "Brazil": "BR", "Canada": "CA", "Channel Islands": "JE", "Cyprus": "CY",
    "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE", "European Community": "ZZ",
    "Finland": "FI", "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK",
    "Iceland": "IS", "Israel": "IL", "Italy": "IT", "Japan": "JP", "Korea": "KR", "Lebanon": "LB",
    "Lithuania": "LT", "Malta": "MT", "Netherlands": "NL", "Nigeria": "NG", "Norway": "NO",
    "Poland": "PL", "Portugal": "PT", "RSA": "ZA", "Saudi Arabia": "SA", "Singapore": "SG",
    "Spain": "ES", "Sweden": "SE", "Switzerland": "CH", "Thailand": "TH", "USA": "US",
    "United Arab Emirates": "AE", "United Kingdom": "GB", "Unspecified": "ZZ",
    "West Indies": "ZZ", "Česko": "ZZ",
}  # fmt: skip
"""Every country of Online Retail and Online Retail II, and one of somebody's own file."""


def order_from(country: str) -> OrderPlaced:
    """Return the order that a request from `country` becomes."""
    body = OrderAsked(
        country=country,
        currency="GBP",
        lines=(LineAsked(sku="tea", quantity=1, amount_minor=100),),
        payment_method="pm_card_visa",
    )
    return placed("o1", body, 1)


def test_the_list_of_countries_is_that_of_the_package() -> None:
    """`python -m tests.support.countries` writes it anew."""
    assert countries.text() == countries.MODULE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("GB", "GB", id="alpha-2"),
        pytest.param("gb", "GB", id="in lower case"),
        pytest.param("GBR", "GB", id="alpha-3"),
        pytest.param("United Kingdom", "GB", id="the name"),
        pytest.param("united kingdom", "GB", id="the name in lower case"),
        pytest.param("Vietnam", "VN", id="the usual name"),
        pytest.param("Czech Republic", "CZ", id="the long name"),
        pytest.param("XK", "XK", id="Kosovo, a code of users"),
        pytest.param("ZZ", "ZZ", id="it is not known"),
        pytest.param("", "", id="nothing"),
        pytest.param("Atlantis", "", id="an invented one"),
        pytest.param("AA", "", id="a code that is not assigned"),
        pytest.param("EU", "", id="the European Union"),
        pytest.param("GB|GBR", "", id="as the table writes it"),
    ],
)
def test_a_country_is_known_by_its_codes_and_names(name: str, code: str) -> None:
    """Nothing else is one."""
    assert code == country_code(name)


def test_there_are_as_many_figures_by_country_as_countries() -> None:
    """Each code is its own, and one of its spellings."""
    assert 251 == len(CODES)
    assert CODES == {country_code(code) for code in CODES}
    assert all(code in spellings(code) for code in CODES)
    assert frozenset() == spellings("Atlantis")


@pytest.mark.parametrize("name", sorted(IN_THE_FILES))
def test_every_country_of_the_retail_files_can_be_ordered_from(name: str) -> None:
    """What the API is asked for is stored by the code."""
    assert IN_THE_FILES[name] == order_from(asked_country(name)).country


def test_a_name_that_the_api_knows_is_sent_as_the_file_has_it() -> None:
    """An order of a file that was loaded before is the same request under its key."""
    assert ["France", "IE"] == [asked_country(name) for name in ("France", "EIRE")]


def test_the_file_that_comes_along_has_no_country_that_is_not_known() -> None:
    """Each of its rows counts for a country."""
    [path] = Path(ROOT / "data").glob("*.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = {row["Country"] for row in csv.DictReader(file)}

    assert len(names) > 10
    assert not [name for name in names if order_from(asked_country(name)).country == "ZZ"]


def test_an_unknown_country_is_refused_by_its_field() -> None:
    """The text says what to send."""
    with pytest.raises(BadRequest, match="ISO 3166-1: send its alpha-2 code, such as GB") as caught:
        order_from("Atlantis")

    assert "country" == caught.value.field
