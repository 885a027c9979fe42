"""The part of `payflow reconcile` about money that was held on cards."""

from rich.console import Console
from rich.text import Text

from app.operations.reconciliation.holds import ComparedHold, Holds, HoldSums
from workflows.shared.money import money

SHOWN_MAX = 50
"""Orders shown to people; JSON and the report have all of them."""


def show_holds(holds: Holds, console: Console) -> None:
    """Print `holds` for people; nothing where nothing was ever held."""
    for one in holds.offending[:SHOWN_MAX]:
        console.print(_line(one), soft_wrap=True)
    if len(holds.offending) > SHOWN_MAX:
        console.print(f"... and {len(holds.offending) - SHOWN_MAX} more; see --report")
    for currency, books in holds.totals.items():
        sums_text = "; ".join(f"{book} {_sums(sums, currency)}" for book, sums in books.items())
        console.print(Text(f"holds, {currency}: {sums_text}"), soft_wrap=True)
    if holds.compared:
        console.print(
            f"holds: {holds.compared} orders compared, {holds.in_motion} in motion, "
            f"{len(holds.offending)} differ"
        )


def _line(one: ComparedHold) -> Text:
    """Return one difference as a line that can be read, and searched, at any width."""
    # Of several currencies no sum has one; the check says that they differ.
    currency = one.currencies[0] if len(one.currencies) == 1 else ""
    books = {"provider": one.provider, "payments": one.payments}
    sums_text = "; ".join(
        f"{book} {'-' if sums is None else _sums(sums, currency)}" for book, sums in books.items()
    )
    differs = ", ".join(name.replace("_", " ") for name in one.differences)
    # Ids come from outside: as Text, so that markup in them is not rendered.
    return Text(f"{one.order_id}  hold: {differs}  ({sums_text}; {' '.join(one.currencies)})")


def _sums(sums: HoldSums, currency: str) -> str:
    parts = (sums.captured_minor, sums.voided_minor, sums.held_minor)
    captured, voided, held = (money(each, currency) for each in parts)
    authorized = money(sums.authorized_minor, currency)
    return f"{authorized} authorized = {captured} captured + {voided} voided + {held} held"
