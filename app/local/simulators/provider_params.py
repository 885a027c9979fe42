"""One POST at the provider, and its parameters."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from app.host.parameters import whole_number
from app.local.simulators.provider_records import PLAIN, CaptureTrouble, Course
from app.local.simulators.provider_shapes import invalid
from workflows.shared.currencies import EXPONENTS
from workflows.shared.provider_currencies import (
    ALWAYS_WHOLE,
    CURRENCIES,
    SMALLEST_MINOR,
    THREE_DECIMAL,
)

AMOUNT_MINOR_MAX = 100_000_000_000
METADATA_MAX = 50
CAPTURE_METHODS = {"automatic": "automatic", "automatic_async": "automatic", "manual": "manual"}
CANCELLATION_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer", "abandoned"})

Params = Mapping[str, str]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: its parameters, its key, and what faults do to it."""

    params: Params
    key: str
    origin: str = ""
    """The scheme, host and port that the caller used."""
    object_id: str = ""
    """The intent, refund or dispute that the path names."""
    decline: bool = False
    short: bool = False
    """Whether one minor unit less is charged."""
    capture: CaptureTrouble = ""
    """Where the card has none of its own."""
    course: Course = PLAIN
    """Of a refund, where its card has none of its own."""
    processing_ms: int = 0
    dispute_ms: int = 0
    """How long a customer takes to complain, and a bank to decide."""


def payment_method(params: Params) -> str | None:
    """Return the test card. Raises StripeError."""
    method = params.get("payment_method") or None
    if method is not None and not re.fullmatch(r"pm_card_\w{1,100}", method):
        raise invalid("No such PaymentMethod.", "payment_method", "resource_missing")
    return method


def return_url(params: Params) -> str | None:
    """Return where the customer goes after 3-D Secure. Raises StripeError."""
    text = params.get("return_url") or None
    if text is not None and not (
        urlsplit(text).scheme in {"http", "https"} and urlsplit(text).netloc
    ):
        raise invalid("Not a valid URL.", "return_url", "url_invalid")
    return text


def capture_method(params: Params) -> str:
    """Return `automatic` or `manual`. Raises StripeError."""
    name = params.get("capture_method", "automatic")
    if name not in CAPTURE_METHODS:
        raise invalid(f"Invalid capture_method: {name[:40]}", "capture_method")
    return CAPTURE_METHODS[name]


def cancellation_reason(params: Params) -> str | None:
    """Return why an intent is canceled. Raises StripeError."""
    reason = params.get("cancellation_reason") or None
    if reason is not None and reason not in CANCELLATION_REASONS:
        raise invalid("Invalid cancellation_reason.", "cancellation_reason")
    return reason


def currency(params: Params) -> str:
    """Return the currency, in lower case as Stripe writes it. Raises StripeError."""
    code = params.get("currency", "")
    if code.upper() not in CURRENCIES or not code.islower():
        raise invalid(f"Invalid currency: {code[:40]}", "currency")
    return code


def amount(params: Params, name: str, code: str) -> int:
    """Return an amount of the currency `code` in its minor units. Raises StripeError."""
    text = params.get(name, "")
    amount_minor = whole_number(text, 1, AMOUNT_MINOR_MAX)
    if amount_minor is None:
        raise invalid(f"Invalid integer: {text[:20]}", name, "parameter_invalid_integer")
    # Decimals that the currency has only in name: docs.stripe.com/currencies#special-cases.
    code = code.upper()
    step = 100 if code in ALWAYS_WHOLE else 10 if EXPONENTS[code] == THREE_DECIMAL else 1
    if amount_minor % step:
        message = f"Invalid amount. Amounts in {code} must be evenly divisible by {step}."
        raise invalid(message, name, "invalid_charge_amount_no_decimal_compatible")
    return amount_minor


def charge_amount(params: Params, name: str, code: str) -> int:
    """Return an amount that is large enough to be charged or captured. Raises StripeError."""
    amount_minor, least = amount(params, name, code), SMALLEST_MINOR.get(code.upper(), 1)
    if amount_minor < least:
        raise invalid(f"Amount must be at least {least} ({code}).", name, "amount_too_small")
    return amount_minor


def metadata(params: Params) -> dict[str, str]:
    """Return the caller's own fields. Raises StripeError."""
    matches = (
        (re.fullmatch(r"metadata\[([^\]]{1,40})\]", name), text) for name, text in params.items()
    )
    fields = {match.group(1): text for match, text in matches if match}
    if len(fields) > METADATA_MAX:
        raise invalid(f"At most {METADATA_MAX} keys.", "metadata")
    return fields
