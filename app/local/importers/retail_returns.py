"""`C` invoices as returns: each line is matched to what its customer bought and still has.

Part of reading the retail file.
"""

from app.local.importers.retail_requests import Ask, PlaceOrder, Refuse, ReturnItems
from app.local.importers.retail_rows import Row
from workflows.order.messages import ReturnLine
from workflows.shared.limits import LINES_MAX

UNMATCHED = "return without a matching sale"
WITHOUT_ITEMS = "money without items is an operator's to give"


class Sales:
    """The units that each customer bought and has not returned."""

    def __init__(self) -> None:
        self._units: dict[tuple[str, str], dict[str, int]] = {}
        """By customer and SKU: the units by invoice, the earliest first."""

    def add(self, order: PlaceOrder) -> None:
        """Note a sale; a guest's cannot be found again."""
        if not order.customer_id:
            return
        for line in order.lines:
            sold = self._units.setdefault((order.customer_id, line.sku), {})
            sold[order.reference] = sold.get(order.reference, 0) + line.quantity

    def return_items(self, row: Row) -> dict[str, ReturnLine]:
        """Return items by invoice, the earliest first; all of them or none."""
        units_to_return = -row.quantity
        lines: dict[str, ReturnLine] = {}
        sold = self._units.get((row.customer_id, row.code), {})
        for reference, left in sold.items():
            units = min(units_to_return, left)
            if units:
                lines[reference] = ReturnLine(sku=row.code, quantity=units)
            units_to_return -= units
        if units_to_return:
            return {}
        for reference, line in lines.items():
            sold[reference] -= line.quantity
        return lines


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
    if not row.is_item:
        return WITHOUT_ITEMS
    return sales.return_items(row) or UNMATCHED
