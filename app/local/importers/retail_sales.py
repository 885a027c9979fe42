"""Invoices as orders, and rows without a price as counts of stock.

Part of reading the retail file.
"""

from app.local.importers.retail_requests import Adjust, Ask, PlaceOrder, Refuse
from app.local.importers.retail_returns import Sales
from app.local.importers.retail_rows import AMOUNT_MINOR_MAX, DISCOUNT, Row
from workflows.order.messages import Charge, Line
from workflows.shared.limits import LINES_MAX, QUANTITY_MAX

DAY_MS = 86_400_000


def sold(invoice: str, rows: list[Row], sales: Sales) -> list[Ask]:
    """Return the requests of an invoice's rows; its order is added to `sales`."""
    asks: list[Ask] = []
    bought: list[Row] = []
    for number, row in enumerate(rows):
        if reason := _contradiction(row, rows[0]):
            asks.append(_refused(row, reason))
        elif row.price == 0 and (row.quantity < 0 or not row.customer_id):
            asks.append(_adjusted(f"{invoice}/{number}", row))
        elif row.quantity < 0:
            asks.append(_refused(row, "negative quantity in a sale"))
        else:
            bought.append(row)
    if bought:
        order = _order(invoice, bought)
        asks.append(order)
        if isinstance(order, PlaceOrder):
            sales.add(order)
    return asks


def _contradiction(row: Row, first: Row) -> str:
    """Return what `row` says otherwise than the first of its invoice, or nothing."""
    if row.customer_id != first.customer_id:
        return "another customer than in the first row of the invoice"
    if row.country != first.country:
        return "another country than in the first row of the invoice"
    if abs(row.at_ms - first.at_ms) > DAY_MS:
        return "more than a day from the first row of the invoice"
    return ""


def _refused(row: Row, reason: str) -> Refuse:
    return Refuse(rows=1, file_lines=row.file_lines, reason=reason)


def _adjusted(adjustment_id: str, row: Row) -> Ask:
    if not row.is_item:
        return _refused(row, "a charge of nothing")
    reason = row.description or ("write-off" if row.quantity < 0 else "stock found")
    return Adjust(
        rows=1,
        file_lines=row.file_lines,
        adjustment_id=adjustment_id,
        sku=row.code,
        delta=row.quantity,
        reason=reason,
    )


def _order(invoice: str, rows: list[Row]) -> PlaceOrder | Refuse:
    lines: dict[str, Line] = {}
    charges: list[Charge] = []
    for row in rows:
        if row.is_item:
            lines[row.code] = _merged(lines.get(row.code), row)
        else:
            sign = -1 if row.code.upper() == DISCOUNT else 1
            charges.append(Charge(code=row.code, amount_minor=sign * row.amount_minor))
    first = rows[0]
    file_lines = tuple(line for row in rows for line in row.file_lines)
    order = PlaceOrder(
        rows=len(rows),
        file_lines=file_lines,
        reference=invoice,
        customer_id=first.customer_id,
        country=first.country,
        lines=tuple(lines.values()),
        charges=tuple(charges),
        total_minor=sum(priced.amount_minor for priced in (*lines.values(), *charges)),
        ordered_at_ms=first.at_ms,
    )
    wrong = _objection(order)
    if wrong:
        return Refuse(rows=len(rows), file_lines=file_lines, reason=wrong)
    return order


def _objection(order: PlaceOrder) -> str:
    """Return why `order` cannot be placed, or nothing."""
    amounts = [abs(priced.amount_minor) for priced in (*order.lines, *order.charges)]
    if order.total_minor <= 0:
        return "nothing to charge"
    if sum(amounts) > AMOUNT_MINOR_MAX:
        return "the amount is too large"
    if max(len(order.lines), len(order.charges)) > LINES_MAX:
        return f"more than {LINES_MAX} lines"
    if any(line.quantity > QUANTITY_MAX for line in order.lines):
        return "Quantity is zero or above a million"
    return ""


def _merged(line: Line | None, row: Row) -> Line:
    return Line(
        sku=row.code,
        quantity=row.quantity + (line.quantity if line else 0),
        amount_minor=row.amount_minor + (line.amount_minor if line else 0),
        description=row.description,
    )
