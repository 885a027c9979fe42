"""`C` invoices as returns: each line is matched to what its customer bought and still has.

Part of reading the retail file.
"""

import msgspec
from msgspec.structs import replace

from app.local.importers.retail_requests import Ask, PlaceOrder, Refuse, ReturnItems
from app.local.importers.retail_rows import DISCOUNT, Row
from workflows.order.messages import ReturnLine
from workflows.shared.limits import LINES_MAX
from workflows.shared.money import split_minor

UNMATCHED = "return without a matching sale"


class Sold(msgspec.Struct, frozen=True, kw_only=True):
    """The part of one line or charge that was not returned yet."""

    reference: str
    quantity: int
    amount_minor: int


class Sales:
    """What each customer bought and has not returned."""

    def __init__(self) -> None:
        self._sold: dict[tuple[str, str], list[Sold]] = {}
        self._value: dict[str, dict[str, int]] = {}

    def add(self, order: PlaceOrder) -> None:
        """Note a sale; a guest's cannot be found again."""
        if not order.customer_id:
            return
        self._value.setdefault(order.customer_id, {})[order.reference] = order.total_minor
        for line in order.lines:
            self._note(order, line.sku, line.quantity, line.amount_minor)
        for charge in order.charges:
            if charge.amount_minor > 0:
                self._note(order, charge.code.upper(), 1, charge.amount_minor)

    def _note(self, order: PlaceOrder, code: str, quantity: int, amount_minor: int) -> None:
        sold = Sold(reference=order.reference, quantity=quantity, amount_minor=amount_minor)
        self._sold.setdefault((order.customer_id, code), []).append(sold)

    def return_items(self, row: Row) -> dict[str, ReturnLine]:
        """Return goods by invoice, the earliest first, at the price paid; all of them or none."""
        wanted = -row.quantity
        lines: dict[str, ReturnLine] = {}
        left: list[Sold] = []
        for sold in self._sold.get((row.customer_id, row.code), []):
            units = min(wanted, sold.quantity)
            parts = (sold.quantity - units, units)
            amount = split_minor(sold.amount_minor, parts)[1] if units else 0
            if not 0 < amount <= self._value[row.customer_id][sold.reference]:
                left.append(sold)
                continue
            lines[sold.reference] = ReturnLine(sku=row.code, quantity=units, amount_minor=amount)
            left.append(_less(sold, units, amount))
            wanted -= units
        if wanted:
            return {}
        self._sold[row.customer_id, row.code] = left
        for reference, line in lines.items():
            self._value[row.customer_id][reference] -= line.amount_minor
        return lines

    def return_charge(self, row: Row) -> str:
        """Return the earliest invoice with enough left of such a charge, or nothing."""
        amount = -row.amount_minor
        charged = self._sold.get((row.customer_id, row.code.upper()), [])
        for at, sold in enumerate(charged):
            if amount <= min(sold.amount_minor, self._value[row.customer_id][sold.reference]):
                charged[at] = _less(sold, 0, amount)
                self._value[row.customer_id][sold.reference] -= amount
                return sold.reference
        return ""

    def credit(self, row: Row) -> str:
        """Return the latest invoice that a discount can be taken off, or nothing."""
        for reference, left in reversed(self._value.get(row.customer_id, {}).items()):
            if left >= -row.amount_minor:
                self._value[row.customer_id][reference] += row.amount_minor
                return reference
        return ""


def _less(sold: Sold, units: int, amount_minor: int) -> Sold:
    return replace(
        sold, quantity=sold.quantity - units, amount_minor=sold.amount_minor - amount_minor
    )


def returned(invoice: str, rows: list[Row], sales: Sales) -> list[Ask]:
    """Return the requests of a `C` invoice: one return for each sale it touches."""
    if len(rows) > LINES_MAX:
        file_lines = tuple(line for row in rows for line in row.file_lines)
        reason = f"more than {LINES_MAX} lines"
        return [Refuse(rows=len(rows), file_lines=file_lines, reason=reason)]
    asks: list[Ask] = []
    matched: dict[str, list[ReturnLine]] = {}
    counted: dict[str, list[Row]] = {}
    for row in rows:
        lines = _objection(row) or _match(row, sales)
        if isinstance(lines, str):
            asks.append(Refuse(rows=1, file_lines=row.file_lines, reason=lines))
            continue
        counted.setdefault(next(iter(lines)), []).append(row)
        for reference, line in lines.items():
            matched.setdefault(reference, []).append(line)
    asks += [
        ReturnItems(
            rows=len(counted.get(reference, ())),
            file_lines=tuple(line for row in counted.get(reference, ()) for line in row.file_lines),
            return_id=f"{invoice}/{reference}",
            reference=reference,
            lines=tuple(lines),
            amount_minor=sum(line.amount_minor for line in lines),
        )
        for reference, lines in matched.items()
    ]
    return asks


def _objection(row: Row) -> str:
    if row.quantity > 0:
        return "positive quantity in a return"
    if not row.customer_id:
        return "return without a customer"
    return "nothing to refund" if row.amount_minor == 0 else ""


def _match(row: Row, sales: Sales) -> dict[str, ReturnLine] | str:
    """Return the line by the invoice it was sold on, or why it is refused."""
    if row.is_item:
        return sales.return_items(row) or UNMATCHED
    discount = row.code.upper() == DISCOUNT
    reference = sales.credit(row) if discount else sales.return_charge(row)
    if not reference:
        return "discount without a sale to take it off" if discount else UNMATCHED
    line = ReturnLine(sku=row.code, quantity=1, amount_minor=-row.amount_minor, goods=False)
    return {reference: line}
