"""Whether one person may send a dead letter changed, or two have to agree.

An edit is signed, so that the agent believes what it says: it obeys the limit of what it does. One
person may mend personal values. All else that an event says may move money: a lower amount as well
as a higher one, a verdict, a decision, a cancelled shipment, the workflow in its baggage.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import msgspec

from app.config import Config
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import DeadLetterFacts
from app.wire import codecs, signing
from app.wire.envelope import Undecodable, from_headers
from app.wire.personal import impersonal
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.message import Message
from workflows.shared.reference_rates import ReferenceRates
from workflows.shared.topic import topic_of

MINOR = "_minor"
"""The end of the names of all amounts of money."""
CURRENCY = "currency"
"""The end of the names of all currencies."""
ALONE = "alone_max_minor"
"""The field in which a message says what may go back by the word of one person; null: two agreed.
"""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class TakesTwoPeople(PayflowError):
    """One person may not send this edit; the message says why."""

    kind: ClassVar[ErrorKind] = "conflict"


class EditLimit(msgspec.Struct, frozen=True, kw_only=True):
    """What one person may send changed."""

    config: Config
    rates: ReferenceRates
    currency: str = ""
    """Of amounts that name none: that of the transaction, if it is known."""
    before_minor: int = 0
    """The money in earlier edits of the same key, and what of the transaction went back by other
    ways, in the reference currency."""

    def worth_minor(self, message: Message) -> int | None:
        """Return the money in `message`, in the reference currency; None: nobody knows it.

        What an open topic carries anybody may say, so there it moves nothing by itself.
        """
        if topic_of(message).open:
            return 0
        return self._worth_minor(msgspec.to_builtins(message), self.currency)

    def objection(
        self, dead_letter: DeadLetter, message: Message, headers: Mapping[str, str] = NO_HEADERS
    ) -> str:
        """Return why two people have to agree to `dead_letter` as `message`; nothing: one may.

        `headers`: those that are set anew.
        """
        topic = topic_of(message)
        if not signing.is_authentic(dead_letter.record, topic, self.config):
            return "Payflow has not produced this event, and the edit would sign it"
        if topic.open:
            return ""
        return (
            self._objection_to_money(message)
            or _objection_to_change(dead_letter, message)
            or (f"it sets header {min(headers)[:80]!r}" if headers else "")
        )

    def _objection_to_money(self, message: Message) -> str:
        alone = getattr(message, ALONE, 0)
        if alone is None:
            return "it says that two people have agreed"
        others = _currencies(msgspec.to_builtins(message)) - {self.currency}
        if self.currency and others:
            return f"it names {min(others)[:10]}, and the transaction is in {self.currency}"
        worth_minor = self.worth_minor(message)
        alone_minor = self.rates.reference_minor(alone, self.currency) if alone else 0
        if worth_minor is None or alone_minor is None:
            return "nobody knows what its money is worth"
        limit_minor = self.config.refund_two_people_minor
        if alone_minor > limit_minor:
            return f"it says that one person may refund {alone_minor}, above {limit_minor}"
        if worth_minor and self.before_minor + worth_minor > limit_minor:
            sum_minor = self.before_minor + worth_minor
            return f"with it {sum_minor} would be edited or refunded, above {limit_minor}"
        return ""

    def _worth_minor(self, value: object, currency: str) -> int | None:
        """Return the largest sum of money in `value`: a total and its lines are the same money."""
        if isinstance(value, list | tuple):
            worths = [self._worth_minor(each, currency) for each in value]
            return None if None in worths else sum(worth or 0 for worth in worths)
        if not isinstance(value, Mapping):
            return 0
        code = value.get("currency")
        currency = code if isinstance(code, str) and code else currency
        worths = [
            self.rates.reference_minor(abs(each), currency)
            if isinstance(each, int) and str(name).endswith(MINOR)
            else self._worth_minor(each, currency)
            for name, each in value.items()
            if name != ALONE
        ]
        return None if None in worths else max((worth or 0 for worth in worths), default=0)


def _objection_to_change(dead_letter: DeadLetter, message: Message) -> str:
    record = dead_letter.record
    try:
        before = codecs.decode(record.value, from_headers(record.headers), record.key)
    except Undecodable:
        return "nobody can read what it was before"
    if type(before) is not type(message):
        return "it would be an event of another type"
    if _fixed(before) != _fixed(message):
        return "it changes more than personal values"
    return ""


def _fixed(message: Message) -> object:
    """Return what one person leaves as it is: all but personal values."""
    return impersonal(msgspec.to_builtins(message), type(message))


def _currencies(value: object) -> set[str]:
    """Return the currencies that `value` names, in whatever field."""
    if isinstance(value, list | tuple):
        return {name for each in value for name in _currencies(each)}
    if not isinstance(value, Mapping):
        return set()
    currencies = {
        each
        for name, each in value.items()
        if isinstance(each, str) and each and str(name).endswith(CURRENCY)
    }
    return currencies.union(*map(_currencies, value.values()))


def edited_before_minor(facts: DeadLetterFacts, dead_letter: DeadLetter) -> int:
    """Return the money in what was edited of the key of `dead_letter`, in the reference currency.

    A large sum in small parts needs two people as well.
    """
    return sum(
        facts.edited_minor.get(each.place, 0)
        for each in facts.dead_letters
        if each.record.key == dead_letter.record.key
    )
