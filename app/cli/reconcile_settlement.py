"""The part of `payflow reconcile` about settlement: what is open, how old it is, and the sums."""

from rich.console import Console
from rich.text import Text

from app.operations.reconciliation.settlement import Settlement
from app.operations.reconciliation.settlement_books import CurrencySums, OpenItem
from workflows.shared.money import money

SHOWN_MAX = 50
"""Items shown to people; JSON and the report have all of them."""


def show_settlement(settlement: Settlement, console: Console) -> None:
    """Print `settlement` for people: what is wrong line by line, what is open by its age."""
    wrong = [item for item in settlement.open_items if item.wrong]
    for item in wrong[:SHOWN_MAX]:
        console.print(_line(item), soft_wrap=True)
    if len(wrong) > SHOWN_MAX:
        console.print(f"... and {len(wrong) - SHOWN_MAX} more; see --report")
    for state, buckets in settlement.ageing.items():
        ages = ", ".join(f"{bucket}: {count}" for bucket, count in buckets.items())
        console.print(f"settlement, {state}: {ages}", soft_wrap=True)
    for currency, sums in settlement.totals.items():
        console.print(Text(f"settlement, {currency}: {_sums(sums, currency)}"), soft_wrap=True)
    others = f", {settlement.not_ours} of the account are not ours" if settlement.not_ours else ""
    console.print(
        f"settlement: {settlement.lines} balance transactions, {settlement.arrived} have arrived, "
        f"{len(settlement.open_items) - len(wrong)} open, {len(wrong)} wrong{others}",
        soft_wrap=True,
    )


def _line(item: OpenItem) -> Text:
    """Return an item as a line that can be read, and searched, at any width."""
    amounts = {"provider": item.provider_minor, "ledger": item.ledger_minor}
    amounts_text = ", ".join(
        f"{book} {'-' if amount is None else money(amount, item.currency)}"
        for book, amount in amounts.items()
    )
    about = " ".join(filter(None, (item.order_id, item.balance_transaction_id, item.payout_id)))
    # Ids come from outside: as Text, so that markup in them is not rendered.
    return Text(f"{about}: {item.state}  ({amounts_text}; {item.age_days} d)")


def _sums(sums: CurrencySums, currency: str) -> str:
    def text(amount_minor: int) -> str:
        return money(amount_minor, currency)

    return (
        f"fees {text(sums.fees_at_provider_minor)} at the provider, "
        f"{text(sums.fees_in_ledger_minor)} in the ledger; "
        f"paid out {text(sums.paid_out_minor)}, at the bank {text(sums.at_bank_minor)}; "
        f"in transit {text(sums.in_transit_minor)}, in the balance {text(sums.in_balance_minor)}"
        + (f"; disputes {text(sums.disputes_minor)}" if sums.disputes_minor else "")
        + (f"; not ours {text(sums.not_ours_minor)}" if sums.not_ours_minor else "")
    )
