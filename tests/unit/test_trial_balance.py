"""The balance of every account by currency: JPY is never added to GBP, and each adds up to zero."""

import io
from typing import cast

import msgspec
import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace
from rich.console import Console

from app.cli.trial_balance import TrialBalance, show, trial_balances
from app.console.api.invariants import INVARIANTS
from app.operations.verification.facts import Facts
from app.operations.verification.verdict import Verdict, judge
from app.wire.envelope import Envelope, derive_id
from tests.support.examples.verification import entry
from workflows.ledger.messages import EntryPosted
from workflows.order.workflow import ORDER
from workflows.shared.invariants import Moment
from workflows.shared.message import type_name

PAID = entry("paid", ("cash_at_provider", 1_200), ("customer_receivable", -1_200))
SOLD = entry("sold", ("customer_receivable", 1_200), ("revenue", -1_000), ("shipping", -200))
PAID_IN_YEN = replace(
    entry("yen", ("cash_at_provider", 1_250), ("customer_receivable", -1_250), order_id="o2"),
    currency="JPY",
)
LOPSIDED = entry("lopsided", ("cash_at_provider", 1))


def verdict_of(*entries: EntryPosted) -> Verdict:
    """Return the verdict when nothing but `entries` was ever emitted."""
    facts = Facts()
    for each in entries:
        envelope = Envelope(
            id=derive_id(each.entry_id),
            type=type_name(EntryPosted),
            source="/test",
            time_ms=0,
            subject=each.transaction_id,
            correlation_id=each.transaction_id,
        )
        facts.project([ORDER], each, envelope)
    return judge(facts, Moment(now_ms=1), [ORDER])


def balance_of(*entries: EntryPosted) -> TrialBalance:
    """Return the trial balance of orders."""
    return trial_balances(verdict_of(*entries))["order"]


def text_of(balance: TrialBalance) -> str:
    """Return what people read."""
    console = Console(file=io.StringIO(), width=100)
    show("order", balance, console)
    return cast("io.StringIO", console.file).getvalue()


def test_every_account_has_its_balance_in_its_currency() -> None:
    """Entries of one account are netted; another currency has accounts of its own."""
    assert {
        "GBP": {
            "cash_at_provider": 1_200,
            "customer_receivable": 0,
            "revenue": -1_000,
            "shipping": -200,
        },
        "JPY": {"cash_at_provider": 1_250, "customer_receivable": -1_250},
    } == balance_of(PAID, SOLD, PAID_IN_YEN)


def test_amounts_are_read_with_the_decimals_of_their_currency() -> None:
    """Debit and credit each have a column; what is off is in the last line."""
    text = text_of(balance_of(PAID, SOLD, PAID_IN_YEN, LOPSIDED))
    lines = {" ".join(line.split()) for line in text.replace("│", " ").splitlines()}

    assert {
        "cash_at_provider 12.01 GBP",
        "revenue 10.00 GBP",
        "cash_at_provider 1,250 JPY",
        "adds up to 0.01 GBP",
        "adds up to 0 JPY",
    } <= lines


def test_an_empty_ledger_says_so() -> None:
    """Before the first payment there is no currency to show."""
    assert "nothing is posted yet" in text_of(balance_of())


@pytest.mark.parametrize(
    ("entries", "mark"),
    [
        pytest.param((PAID, SOLD), "0.00 GBP ✓", id="balanced"),
        pytest.param((PAID, LOPSIDED), "0.01 GBP ✗", id="lopsided"),
    ],
)
async def test_the_page_of_invariants_shows_it(
    client: TestClient, entries: tuple[EntryPosted, ...], mark: str
) -> None:
    """With the sum of each currency, good or bad."""
    invariants = client.app[INVARIANTS]
    invariants.watch = lambda: None  # type: ignore[method-assign]  # no process of its own here
    invariants.receive(msgspec.json.encode(verdict_of(*entries).plain()))

    page = await (await client.get("/console/invariants")).text()

    assert "Trial balance, GBP" in page
    assert mark in page
    assert "12.00 GBP" in page
