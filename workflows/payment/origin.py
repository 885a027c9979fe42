"""Where and with what a payment was made: what fraud is judged by, besides the customer."""

from typing import Annotated

import msgspec

from workflows.shared.limits import NameIfAny
from workflows.shared.personal import Personal

Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fingerprints, never what they stand for: no card number, no raw network address."""

    card_id: Personal[NameIfAny] = ""
    terminal_id: NameIfAny = ""
    """The merchant's terminal or shop."""
    device_id: Personal[NameIfAny] = ""
    address_id: Personal[NameIfAny] = ""
    latitude: Personal[Latitude] | None = None
    longitude: Personal[Longitude] | None = None


UNKNOWN = Origin()
