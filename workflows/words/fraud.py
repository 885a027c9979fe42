"""Risk: `fraud.checks` (key customer) asks for a judgment, `fraud` (key order id) tells it."""

from typing import Annotated

from msgspec import Meta

from workflows.message import Message
from workflows.words.limits import Currency, Milliseconds, MinorDue, Name

Score = Annotated[float, Meta(ge=0, le=1)]


class CheckPayment(Message, tag="payflow.fraud.check_payment.v1", frozen=True, kw_only=True):
    """Judge this payment against what its customer did before."""

    order_id: Name
    customer: Name
    guest: bool
    amount_minor: MinorDue
    currency: Currency
    country: Name
    ordered_at_ms: Milliseconds


class FraudDetected(Message, tag="payflow.fraud.detected.v1", frozen=True, kw_only=True):
    """Not to be shipped; `reasons` are for people to read."""

    order_id: Name
    score: Score
    reasons: tuple[str, ...]
    rules_version: str


class FraudCleared(Message, tag="payflow.fraud.cleared.v1", frozen=True, kw_only=True):
    """Nothing speaks against it."""

    order_id: Name
    score: Score
    reasons: tuple[str, ...] = ()
    rules_version: str


FraudWord = FraudDetected | FraudCleared
