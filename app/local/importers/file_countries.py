"""Countries as files of orders say them, and what of ISO 3166 the API is asked for.

The Online Retail file has seven names that ISO 3166 lacks. A country that nobody knows
is not a reason to leave a line out: the order is placed without one.
"""

from workflows.shared.countries import NOWHERE, country_code

CODES: dict[str, str] = {
    "eire": "IE",
    "rsa": "ZA",
    "korea": "KR",
    # Two countries, Guernsey and Jersey; the file does not say which. Jersey has more people.
    "channel islands": "JE",
    # Many countries each.
    "european community": NOWHERE,
    "west indies": NOWHERE,
    "unspecified": NOWHERE,
}
"""By name in lower case: what the file says otherwise than ISO 3166."""


def asked_country(name: str) -> str:
    """Return what to ask the API for where a file says `name`.

    A name that the API knows is sent as it is: under its idempotency key, an order of a file that
    was loaded before has to be the same request.
    """
    if country_code(name):
        return name
    return CODES.get(name.strip().casefold(), NOWHERE)
