"""Whether one person may send a dead letter changed, or two have to agree.

An edit is signed, so that the agent believes what it says: it obeys the limit of what it does. What
counts is the money in the new event, whatever its type, and what one person may let it do.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from app.config import Config
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import DeadLetterFacts
from app.wire import signing
from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.message import Message
from workflows.shared.reference_rates import ReferenceRates
from workflows.shared.topic import topic_of

MINOR = "_minor"
"""The end of the names of all amounts of money."""
ALONE = "alone_max_minor"
"""The field in which a message says what may go back by the word of one person; null: two agreed.
"""


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
    """The money in earlier edits of the same key, in the reference currency."""

    def worth_minor(self, message: Message) -> int | None:
        """Return the money in `message`, in the reference currency; None: nobody knows it.

        What an open topic carries anybody may say, so there it moves nothing by itself.
        """
        if topic_of(message).open:
            return 0
        return self._worth_minor(msgspec.to_builtins(message), self.currency)

    def objection(self, dead_letter: DeadLetter, message: Message) -> str:
        """Return why two people have to agree to `dead_letter` as `message`; nothing: one may."""
        topic = topic_of(message)
        if not signing.is_authentic(dead_letter.record, topic, self.config):
            return "Payflow has not produced this event, and the edit would sign it"
        alone = getattr(message, ALONE, 0)
        if alone is None:
            return "it says that two people have agreed"
        worth_minor = self.worth_minor(message)
        alone_minor = self.rates.reference_minor(alone, self.currency) if alone else 0
        if worth_minor is None or alone_minor is None:
            return "nobody knows what its money is worth"
        limit_minor = self.config.refund_two_people_minor
        if alone_minor > limit_minor:
            return f"it says that one person may refund {alone_minor}, above {limit_minor}"
        if worth_minor and self.before_minor + worth_minor > limit_minor:
            return f"with it {self.before_minor + worth_minor} would be edited, above {limit_minor}"
        return ""

    def _worth_minor(self, value: object, currency: str) -> int | None:
        """Return the largest sum of money in `value`: a total and its lines are the same money."""
        if isinstance(value, list | tuple):
            worths = [self._worth_minor(each, currency) for each in value]
            return None if None in worths else sum(worth or 0 for worth in worths)
        if not isinstance(value, Mapping):
            return 0
        said = value.get("currency")
        currency = said if isinstance(said, str) and said else currency
        worths = [
            self.rates.reference_minor(abs(each), currency)
            if isinstance(each, int) and str(name).endswith(MINOR)
            else self._worth_minor(each, currency)
            for name, each in value.items()
            if name != ALONE
        ]
        return None if None in worths else max((worth or 0 for worth in worths), default=0)


def edited_before_minor(known: DeadLetterFacts, dead_letter: DeadLetter) -> int:
    """Return the money in what was edited of the key of `dead_letter`, in the reference currency.

    A large sum in small parts needs two people as well.
    """
    return sum(
        known.edited_minor.get(each.place, 0)
        for each in known.dead_letters
        if each.record.key == dead_letter.record.key
    )
