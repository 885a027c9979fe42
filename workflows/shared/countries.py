"""ISO 3166-1: the countries, their codes, and names by which a request may say them."""

from workflows.shared.country_table import COUNTRIES

NOWHERE = "ZZ"
"""The country is not known. ISO 3166 leaves this code to its users; Unicode uses it so too."""
_SPELLINGS = {
    country.partition("|")[0]: frozenset(country.split("|"))
    for country in " ".join(COUNTRIES.split()).split("; ")
}
_OF_NAME = {name.casefold(): code for code, names in _SPELLINGS.items() for name in names}
CODES = frozenset(_SPELLINGS)
"""All alpha-2 codes: as many figures by country as there can be."""


def country_code(name: str) -> str:
    """Return the alpha-2 code of what is a code or an English name; empty: there is none."""
    return _OF_NAME.get(name.casefold(), "")


def spellings(code: str) -> frozenset[str]:
    """Return every code and name of the country `code`."""
    return _SPELLINGS.get(code, frozenset())
