"""`payflow settle`: the provider's balance transactions and payouts, read now."""

from app.cli.instance import AsJson, as_json, err, out, run, running_instance
from app.console.api.settler import SettlementFigures, Settler
from workflows.shared.money import money


def settle(*, as_json_too: AsJson = False) -> None:
    """Read the provider's balance transactions and payouts now, and post fees and payouts."""
    settler = Settler(running_instance())
    figures = run(settler.settle(None if as_json_too else err.print))
    if as_json_too:
        as_json(figures)
        return
    for line in lines_of(figures):
        out.print(line, markup=False, soft_wrap=True)


def lines_of(figures: SettlementFigures) -> list[str]:
    """Return what one reading has come to, for people."""
    fees = _amounts(figures.fees_minor)
    paid = _amounts(figures.paid_out_minor)
    lines = f"{figures.payout_lines} of their lines are new"
    return [
        f"{figures.transactions} balance transactions are new: fees {fees}",
        f"{figures.payouts} payouts were read, {lines}: {paid} arrived",
        f"{figures.not_ours} balance transactions are not ours and were left out",
        "The ledger posts them within seconds; see: payflow reconcile",
    ]


def _amounts(amounts: dict[str, int]) -> str:
    return ", ".join(money(amount, currency) for currency, amount in amounts.items()) or "nothing"
