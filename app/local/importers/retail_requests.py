"""The requests that rows of the retail file become, and refusals with their reason.

Part of reading the retail file. `rows` counts records, `file_lines` numbers their physical lines.
"""

import msgspec

from workflows.order.messages import Charge, Line, ReturnLine
from workflows.shared.personal import Personal


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An invoice: `reference` is its number."""

    rows: int
    file_lines: tuple[int, ...] = ()
    reference: str
    customer_id: Personal[str]
    country: str
    lines: tuple[Line, ...]
    charges: tuple[Charge, ...]
    total_minor: int
    ordered_at_ms: int


class ReturnItems(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Lines of a `C` invoice, matched to the sale `reference`.

    A row that is spread over several sales counts in `rows` of the first.
    """

    rows: int
    file_lines: tuple[int, ...] = ()
    return_id: str
    reference: str
    lines: tuple[ReturnLine, ...]


class Adjust(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A write-off, or stock that was found."""

    rows: int
    file_lines: tuple[int, ...] = ()
    adjustment_id: str
    sku: str
    delta: int
    reason: str


class Refuse(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Rows that become no request, and why; `column` and `value` where one cell is wrong.

    The value of a cell that names a person is left out.
    """

    rows: int
    file_lines: tuple[int, ...] = ()
    reason: str
    column: str = ""
    value: str = ""


Ask = PlaceOrder | ReturnItems | Adjust | Refuse
