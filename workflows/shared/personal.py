"""Personal data, marked in the type of a field: the mark alone says what is masked.

`customer_id: Personal[NameIfAny]`. The mark is an annotation: it changes neither what is decoded
nor what is written. `app.wire.personal` reads it.
"""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

Value = TypeVar("Value")

Personal = Annotated[Value, Meta(extra={"personal": "named"})]
"""It says who somebody is, or how to reach or to charge them. Where the type of a record is not
known, a field of the same name is masked too."""
NamesPeople = Annotated[Value, Meta(extra={"personal": "typed"})]
"""Names of any kind, of people too, in a field whose own name says nothing of it, such as `values`:
it is masked where the type of the record is known."""


class ContactDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The fields in which other systems write how to reach a person.

    No message of Payflow holds it. Records of other producers may, and their type is not known.
    """

    email: Personal[str] = ""
    phone: Personal[str] = ""
