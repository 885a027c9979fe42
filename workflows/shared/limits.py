"""The limits of every message. A message that exceeds one is poison: decoding it fails."""

from typing import Annotated

from msgspec import Meta

# No control characters, which no HTTP header takes, nor what a path takes for another place. `$`
# alone would let a line end through.
_NAME = r"(?!\.{1,2}$)[^\x00-\x1f\x7f-\x9f\u2028\u2029]+"
_END = r"$(?!\n)"
NAME_CHARS_MAX = 128
NAME_PATTERN = f"^{_NAME}{_END}"
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=NAME_PATTERN)]
"""An id, a code, a SKU: 1 to 128 characters that can be seen."""
NameIfAny = Annotated[str, Meta(max_length=NAME_CHARS_MAX, pattern=f"^({_NAME})?{_END}")]
"""A name, or nothing."""
TEXT_CHARS_MAX = 500
Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
"""Free text for people: a description, a reason."""
EVIDENCE_CHARS_MAX = 4_000
Evidence = Annotated[str, Meta(max_length=EVIDENCE_CHARS_MAX)]
"""What an operator writes to a bank: it may name the customer."""
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}" + _END)]
"""ISO 4217: three capital letters."""
QUANTITY_MAX = 1_000_000
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
"""Units of one SKU in one line."""
MINOR_MAX = 1_000_000_000_00
Minor = Annotated[int, Meta(ge=-MINOR_MAX, le=MINOR_MAX)]
"""Money in minor units (pence, cents), signed."""
MinorDue = Annotated[int, Meta(ge=0, le=MINOR_MAX)]
"""Money in minor units, never negative."""
Milliseconds = Annotated[int, Meta(ge=0, le=99_999_999_999_999)]
"""A moment: milliseconds since 1970-01-01 UTC."""
Seconds = Annotated[int, Meta(ge=0, le=31 * 86_400)]
"""How long something may take, a month at most."""
URL_CHARS_MAX = 2_048
Url = Annotated[str, Meta(max_length=URL_CHARS_MAX)]
"""An address to which a person is sent."""

TRANSACTION_MESSAGES_MAX = 100
"""Messages to the customer about one transaction. These quotas are decided in rows (ADR 33), so a
replay has to find the same numbers: they are not settings."""
TRANSACTION_ANSWERS_MAX = 5
"""Those among them that answer what somebody asked, such as a refused return."""
CUSTOMER_MESSAGES_A_DAY_MAX = 100
"""Messages to one customer in a day (UTC), whatever they are about."""
CUSTOMER_ANSWERS_A_DAY_MAX = 10
"""Those among them that answer what somebody asked."""
RETURNS_MAX = 100
"""Returns of one order, goodwill among them: the provider lists no more refunds in one page."""
RETURNS_ASKED_MAX = 30
"""Those among them that the customer asked for, refused ones too."""

LINES_MAX = 1_000
"""Lines in one order; the largest real one seen holds 593."""
