"""The stock that is received for a file, under ids made of what the file asks.

The same orders in another encoding are the same receipts; another file has receipts of its own.
"""

import hashlib
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from app.local.importers.retail_file import PlaceOrder, Plan
from workflows.shared.limits import QUANTITY_MAX

ITEMS_MAX = 500
SHARE = (99, 100)
"""The share of what the file sells that is received, so that a few orders are refused."""
UNITS_MAX = 100 * QUANTITY_MAX
"""Units of one SKU for one file: a shelf remembers some hundreds of receipts."""
DIGEST_WIDTH = 32


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one SKU."""

    sku: str
    quantity: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /stock/receipts`."""

    receipt_id: str
    items: tuple[Item, ...]


def receipts_of(plan: Plan) -> list[Receipt]:
    """Return the receipts of nearly all that the orders want, each SKU once in a receipt."""
    name = f"file-{_digest(plan)}"
    chunks = [
        items[at : at + ITEMS_MAX]
        for items in _parts(plan)
        for at in range(0, len(items), ITEMS_MAX)
    ]
    return [
        Receipt(receipt_id=f"{name}-{number}", items=tuple(chunk))
        for number, chunk in enumerate(chunks)
    ]


def _parts(plan: Plan) -> Iterator[list[Item]]:
    """Yield all SKUs, then what is left of those with more units than one receipt can say."""
    part, whole = SHARE
    left = {
        sku: min(-(-units * part // whole), UNITS_MAX)
        for sku, units in sorted(plan.sold_units.items())
    }
    while left:
        yield [Item(sku=sku, quantity=min(units, QUANTITY_MAX)) for sku, units in left.items()]
        left = {sku: units - QUANTITY_MAX for sku, units in left.items() if units > QUANTITY_MAX}


def _digest(plan: Plan) -> str:
    """Return what the orders ask as a number, without their lines in the file."""
    digest = hashlib.sha256()
    for ask in plan.asks:
        if isinstance(ask, PlaceOrder):
            digest.update(msgspec.json.encode(replace(ask, rows=0, file_lines=())))
    return digest.hexdigest()[:DIGEST_WIDTH]
